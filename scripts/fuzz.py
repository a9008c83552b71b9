#!/usr/bin/env python3
"""Fuzzes kaito by libFuzzer, and says what came of it.

    scripts/fuzz.py run --seconds 600            every target, one after the other
    scripts/fuzz.py run --seconds 600 git patch  some
    scripts/fuzz.py figures                      runs, hours and findings of all that was run here, as a table
    scripts/fuzz.py coverage                     how much of kaito the corpora reach; line by line in fuzz/coverage
    scripts/fuzz.py keep                         the fewest inputs that reach as much, for fuzz/corpus

Needs a nightly toolchain and `cargo install cargo-fuzz --locked`; coverage needs `rustup component add llvm-tools --toolchain nightly`.
Inputs that are found are kept in fuzz/work, those that fail in fuzz/artifacts: mend what they show, and put them into fuzz/corpus, which
`cargo test` tries again.
"""

import argparse
import hashlib
import json
import os
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
# What a target is about, in src/.
ABOUT = {
    "config": ["config.rs", "image.rs", "image", "node_pool.rs", "model_streaming.rs", "patch/read.rs"],
    "diff": ["diff/disruption.rs", "diff/fields.rs", "diff/flags.rs", "diff/format", "diff/report.rs", "diff/secrets.rs", "diff/side.rs"],
    "git": ["source/git/range.rs", "source/git/reference.rs", "source/git/remote/address.rs", "server/hook/repository.rs"],
    "patch": ["patch"],
    "quantity": ["quantity.rs"],
    "selector": ["selector.rs"],
    "template": ["render/engine.rs", "render/trace.rs", "session/rehearsal.rs"],
    "webhook": ["server/hook"],
    "workspace": ["yaml", "spec", "admission", "plan", "render", "lint", "session.rs"],
}
# The most files of a corpus that is kept, and the most bytes of each.
MOST_FILES = 50
MOST_BYTES = 4096


def cargo_fuzz(command, target, *args):
    return ["cargo", "+nightly", "fuzz", command, "--fuzz-dir", str(FUZZ), target, *map(str, args)]


def words(directory):
    """How a case is rendered, as the first line of an input says it: its provisioner, its gates, and whether it is for Flux or for 0.3."""
    args = (directory / "args").read_text().split() if (directory / "args").exists() else []
    values = re.findall(r"[\w.-]+", " ".join(args))
    return "#! " + " ".join(word.removeprefix("--") for word in values if word not in ("true", "--feature-gates", "--node-provisioner"))


def joined(directory):
    """The manifests of a directory as one."""
    files = [path for path in sorted(directory.rglob("*.yaml")) if path.name != "kaito.yaml" and "templates" not in path.parts]
    return "\n---\n".join(path.read_text() for path in files)


def examples(target):
    """What the tests render and compare, as inputs: with these fuzzing begins."""
    root = FUZZ.parent
    cases = [*root.glob("golden/cases/*/"), *root.glob("golden/lint/*/"), *root.glob("examples/*/")]
    if target == "workspace":
        return [f"{words(case)}\n{joined(case)}" for case in cases]
    if target == "diff":
        scenarios = list(root.glob("golden/diff/*/"))
        return [f"{words(case)}\n{joined(case / 'before')}\n=====\n{joined(case / 'after')}" for case in scenarios]
    paths = {"config": ["golden/**/kaito.yaml", "examples/**/kaito.yaml"], "template": ["templates/0.12/*.yaml", "golden/**/templates/*.yaml"]}
    return [path.read_text() for pattern in paths.get(target, []) for path in root.glob(pattern)]


def inputs(target):
    """What is known: that which was found here comes first, as new inputs go there."""
    (WORK / target).mkdir(parents=True, exist_ok=True)
    for text in examples(target):
        data = text.encode()
        if len(data) <= MOST_BYTES:
            (WORK / target / hashlib.sha1(data).hexdigest()).write_bytes(data)
    return [WORK / target, FUZZ / "corpus" / target]


def run(target, seconds):
    # What takes longer than a minute, or more than 1 GiB, is a finding: a thousand nodes, rendered twice and read back, take 10 s of a busy core.
    own = FUZZ / "dictionaries" / f"{target}.dict"
    dictionary = own if own.exists() else own.with_name("yaml.dict")
    options = [f"-max_total_time={seconds}", f"-dict={dictionary}", "-timeout=60", "-rss_limit_mb=1024", "-print_final_stats=1"]
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


def toolchain():
    """The tools of LLVM that fit the compiler, and the platform."""
    rustc = lambda *args: subprocess.run(["rustc", "+nightly", *args], stdout=subprocess.PIPE, text=True, check=True).stdout
    host = re.search(r"host: (\S+)", rustc("-vV"))[1]
    return Path(rustc("--print", "sysroot").strip()) / "lib/rustlib" / host / "bin", host


def coverage(targets):
    """Lines that the kept inputs of a target reach of what it is about. Each line stands in fuzz/coverage."""
    llvm, host = toolchain()
    # Without sanitizers, and only kaito's own lines are counted: that is built in minutes.
    build = ["cargo", "+nightly", "build", "--manifest-path", str(FUZZ / "Cargo.toml"), "--example", "reach", "--target", host]
    build += ["--target-dir", str(FUZZ / "target" / "coverage"), "-Zprofile-rustflags"]
    build += ["--config", "profile.dev.package.kaito.rustflags=['-Cinstrument-coverage']", "--config", "profile.dev.opt-level=1"]
    # The script that builds kaito is counted too, for nobody.
    subprocess.run(build, check=True, env={**os.environ, "LLVM_PROFILE_FILE": os.devnull})
    program = FUZZ / "target" / "coverage" / host / "debug" / "examples" / "reach"
    print("| target | about | lines reached | of |\n|---|---|---:|---:|")
    for target in targets:
        out = FUZZ / "coverage" / target
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        raw, profile = out / "reach.profraw", out / "reach.profdata"
        environment = {**os.environ, "LLVM_PROFILE_FILE": str(raw)}
        subprocess.run([program, target, FUZZ / "corpus" / target], env=environment, check=True)
        subprocess.run([llvm / "llvm-profdata", "merge", "-sparse", raw, "-o", profile], check=True)
        raw.unlink()
        sources = [str(FUZZ.parent / "src" / name) for name in ABOUT[target]]
        of = [f"-instr-profile={profile}", str(program), "-sources", *sources]
        subprocess.run([llvm / "llvm-cov", "show", "-format=html", f"-output-dir={out}", *of], check=True)
        export = subprocess.run([llvm / "llvm-cov", "export", "-summary-only", *of], stdout=subprocess.PIPE, check=True)
        lines = json.loads(export.stdout)["data"][0]["totals"]["lines"]
        names = ", ".join(f"`{name}`" for name in ABOUT[target])
        print(f"| `{target}` | {names} | {100 * lines['covered'] / lines['count']:.0f} % | {lines['count']:,} |", flush=True)


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
