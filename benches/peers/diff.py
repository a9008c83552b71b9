#!/usr/bin/env python3
"""What a commit changes among many Workspaces: kaito diff beside git diff of rendered manifests. See README.md."""

import argparse
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import run

NAMES = {
    "kaito": "`kaito diff A..B`",
    "git": "`git diff --no-index` of two trees that are rendered already",
    "both": "the two trees rendered by kaito, and `git diff --no-index`",
}


def main():
    parser = argparse.ArgumentParser(description="Time kaito diff and git diff on a commit that changes one Workspace.")
    parser.add_argument("--rounds", type=run.positive, default=7, metavar="N", help="how often each is timed (default: 7)")
    parser.add_argument("--count", type=run.positive, default=1000, metavar="N", help="number of Workspaces (default: 1000)")
    options = parser.parse_args()
    kaito = run.find_kaito()
    git = run.program("git", "install it")
    run.progress(f"{options.count}: committing, rendering and comparing")
    repository = make_repository(options.count, git)
    os.chdir(repository)
    commands = prepare(kaito, git)
    run.progress(f"{options.count}: timing")
    runs = run.race(commands, options.rounds)
    run.progress("")
    print(f"{options.count} Workspaces, 1 changed; {os.cpu_count()} CPUs, rounds: {options.rounds}\n")
    print("|  | wall, s | CPU, s | peak memory, MiB |\n|---|--:|--:|--:|")
    for name, measured in runs.items():
        print(f"| {NAMES[name]} | {' | '.join(run.cells(measured))} |")
    for name in ["git", "both"]:
        print(f"| **{NAMES[name]} / kaito** | {' | '.join(f'**{ratio:.1f}**' for ratio in run.ratios(runs[name], runs['kaito']))} |")


def make_repository(count, git):
    """A repository with a file for each Workspace, and two commits: the second gives one of them a larger size."""
    home = run.CACHE / f"repository-{count}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "workspaces").mkdir(parents=True)
    for i in range(count):
        text = run.WORKSPACE.format(i=i, namespace=run.NAMESPACE, text=run.indented(run.CONFIG, 4))
        (home / f"workspaces/ws-{i}.yaml").write_text(text)
    author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"]
    call = lambda *args: run.output(git, "-C", str(home), *author, *args)
    call("init", "-q", "-b", "main")
    call("add", "workspaces")
    call("commit", "-q", "-m", "A")
    changed = home / f"workspaces/ws-{count // 2}.yaml"
    changed.write_text(changed.read_text().replace("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4"))
    call("commit", "-q", "-a", "-m", "B")
    return home


def prepare(kaito, git):
    """The commands to time, once the two patches are known to say the same."""
    render = [[kaito, "render", "--revision", revision, "-R", "-f", "workspaces", "--output-dir", side]
              for revision, side in [("HEAD~1", "rendered/a"), ("HEAD", "rendered/b")]]
    for command in render:
        run.output(*command)
    patch = [git, "diff", "--no-index", "rendered/a", "rendered/b"]
    diff = [kaito, "diff", "HEAD~1..HEAD", "workspaces", "-o", "unified"]
    ours, theirs = changed_lines(diff), changed_lines(patch)
    if ours != theirs or not ours:
        raise SystemExit(f"The patches differ, so their times would say nothing.\nkaito: {ours}\ngit: {theirs}")
    shell = run.program("sh", "install it")
    # Both exit with 1, since something is different.
    script = " && ".join(map(shlex.join, render)) + f" && {{ {shlex.join(patch)}; test $? = 1; }}"
    return {
        "kaito": [*diff, "--exit-code=false"],
        "git": [shell, "-c", f"{shlex.join(patch)}; test $? = 1"],
        "both": [shell, "-c", script],
    }


def changed_lines(command):
    """The lines of a patch that are gone or new, whatever the files are called and in whichever order they come."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 1:
        raise SystemExit(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return sorted(line for line in done.stdout.splitlines() if line[:1] in "+-" and line[:4] not in ("--- ", "+++ "))


if __name__ == "__main__":
    main()
