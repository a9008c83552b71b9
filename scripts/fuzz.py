#!/usr/bin/env python3
"""Fuzzes kaito by libFuzzer, and says what came of it.

    scripts/fuzz.py run --seconds 600            every target, one after the other
    scripts/fuzz.py run --seconds 600 git patch  some
    scripts/fuzz.py figures                      runs, hours and findings of all that was run here, as a table
    scripts/fuzz.py coverage                     which lines of kaito the inputs reach that are known here
    scripts/fuzz.py keep                         the fewest inputs that reach as much, for fuzz/corpus

Needs a nightly toolchain and `cargo install cargo-fuzz --locked`; coverage needs `rustup component add llvm-tools --toolchain nightly`.
Inputs that are found are kept in fuzz/work, those that fail in fuzz/artifacts: mend what they show, and put them into fuzz/corpus, which
`cargo test` tries again.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FUZZ = Path(__file__).resolve().parent.parent / "fuzz"
WORK = FUZZ / "work"
LOG = WORK / "log.jsonl"
TARGETS = sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))
# The most files of a corpus that is kept, and the most bytes of each.
MOST_FILES = 50
MOST_BYTES = 4096


def cargo_fuzz(command, target, *args):
    return ["cargo", "+nightly", "fuzz", command, "--fuzz-dir", str(FUZZ), target, *map(str, args)]


def inputs(target):
    """What is known: that which was found here comes first, as new inputs go there."""
    (WORK / target).mkdir(parents=True, exist_ok=True)
    return [WORK / target, FUZZ / "corpus" / target]


def run(target, seconds):
    # What takes longer than 10 s, or more than 1 GiB, is a finding.
    options = [f"-max_total_time={seconds}", f"-dict={FUZZ}/yaml.dict", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]
    # Building is no fuzzing.
    subprocess.run(cargo_fuzz("build", target), check=True)
    start = time.monotonic()
    ran = subprocess.run(cargo_fuzz("run", target, *inputs(target), "--", *options), stderr=subprocess.PIPE, text=True)
    last = lambda pattern: int((re.findall(pattern, ran.stderr) or ["0"])[-1])
    entry = {
        "target": target,
        "seconds": round(time.monotonic() - start),
        "runs": last(r"stat::number_of_executed_units: (\d+)") or last(r"#(\d+)\t"),
        "edges": last(r"cov: (\d+)"),
        "failed": ran.returncode != 0,
    }
    with LOG.open("a") as log:
        log.write(json.dumps(entry) + "\n")
    if entry["failed"]:
        print("\n".join(ran.stderr.splitlines()[-60:]), file=sys.stderr)
    print(json.dumps(entry), flush=True)


def figures(targets):
    entries = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    print("| target | runs | hours | edges reached | inputs kept |\n|---|---:|---:|---:|---:|")
    total = [0, 0.0, 0]
    for target in targets:
        own = [entry for entry in entries if entry["target"] == target]
        runs, hours = sum(entry["runs"] for entry in own), sum(entry["seconds"] for entry in own) / 3600
        edges, kept = max((entry["edges"] for entry in own), default=0), len(list((FUZZ / "corpus" / target).iterdir()))
        total = [total[0] + runs, total[1] + hours, total[2] + kept]
        print(f"| `{target}` | {runs:,} | {hours:.2f} | {edges:,} | {kept} |")
    print(f"| all | {total[0]:,} | {total[1]:.2f} | | {total[2]} |")


def coverage(targets):
    """Lines of kaito's sources that are reached, of those in files of which any is."""
    sysroot = Path(subprocess.run(["rustc", "+nightly", "--print", "sysroot"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    host = re.search(r"host: (\S+)", subprocess.run(["rustc", "+nightly", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout)[1]
    llvm = sysroot / "lib/rustlib" / host / "bin"
    profiles, programs = [], []
    for target in targets:
        subprocess.run(cargo_fuzz("coverage", target, *inputs(target)), check=True, stderr=subprocess.DEVNULL)
        profiles.append(FUZZ / "coverage" / target / "coverage.profdata")
        programs.append(next((FUZZ / "target").glob(f"{host}/coverage/{host}/release/{target}")))
    merged = WORK / "all.profdata"
    subprocess.run([llvm / "llvm-profdata", "merge", "-sparse", *profiles, "-o", merged], check=True)
    objects = [word for program in programs[1:] for word in ("-object", program)]
    export = [llvm / "llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", programs[0], *objects]
    files = json.loads(subprocess.run(export, stdout=subprocess.PIPE, check=True).stdout)["data"][0]["files"]
    parts = {}
    for file in files:
        path = Path(file["filename"])
        if FUZZ.parent / "src" in path.parents and file["summary"]["lines"]["covered"]:
            part = parts.setdefault(path.relative_to(FUZZ.parent / "src").parts[0].removesuffix(".rs"), [0, 0])
            part[0] += file["summary"]["lines"]["covered"]
            part[1] += file["summary"]["lines"]["count"]
    print("| part | lines reached | of |\n|---|---:|---:|")
    for part, (reached, count) in sorted(parts.items()):
        print(f"| `{part}` | {100 * reached / count:.0f} % | {count:,} |")
    reached, count = (sum(part[at] for part in parts.values()) for at in (0, 1))
    print(f"| all | {100 * reached / count:.0f} % | {count:,} |")


def keep(target):
    """Replaces the corpus by a small one; what stood there by a name of its own stays."""
    corpus = FUZZ / "corpus" / target
    is_made_up = lambda path: re.fullmatch(r"[0-9a-f]{40}", path.name)
    with tempfile.TemporaryDirectory() as fewest:
        options = ["-merge=1", "-set_cover_merge=1", f"-max_len={MOST_BYTES}"]
        fresh = Path(fewest) / "fresh"
        fresh.mkdir()
        for path in corpus.iterdir():
            if not is_made_up(path):
                shutil.copy(path, fresh)
        subprocess.run(cargo_fuzz("run", target, fresh, *inputs(target), "--", *options), check=True, stderr=subprocess.DEVNULL)
        found = sorted(filter(is_made_up, fresh.iterdir()), key=lambda path: path.stat().st_size)
        room = MOST_FILES - sum(1 for path in corpus.iterdir() if not is_made_up(path))
        step = max(1, -(-len(found) // max(1, room)))
        for path in filter(is_made_up, list(corpus.iterdir())):
            path.unlink()
        for path in found[::step]:
            shutil.copy(path, corpus)
    print(f"{target}: {len(list(corpus.iterdir()))} inputs, of {len(list((WORK / target).iterdir()))} that were found")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "figures", "coverage", "keep"])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    args = parser.parse_args()
    targets = args.targets or TARGETS
    if args.what == "run":
        for target in targets:
            run(target, args.seconds)
    elif args.what == "keep":
        for target in targets:
            keep(target)
    else:
        {"figures": figures, "coverage": coverage}[args.what](targets)


if __name__ == "__main__":
    main()
