#!/usr/bin/env python3
"""Measures everything and writes it into docs/performance.md, with pictures. See README.md."""

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import run

MATPLOTLIB_PACKAGE = "matplotlib==3.10.7"
PAGE = run.HERE.parents[1] / "docs/performance.md"
IMAGES = PAGE.parent / "images"

# What fills each section of the page.
SECTIONS = {
    "render": ["run.py", "--counts", "1,100,1000,10000", "--rounds", "5"],
    "diff": ["diff.py"],
    "live": ["live.py", "--count", "100"],
    "apply": ["apply.py"],
    "watch": ["watch.py", "--counts", "1,10,100,1000"],
    "many": ["watch.py", "--counts", "10000", "--rounds", "5"],
    "shards": ["watch.py", "--counts", "10000", "--rounds", "5", "--shards", "3"],
}


def main():
    parser = argparse.ArgumentParser(description="Measure everything, and write docs/performance.md.")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SECTIONS), metavar="NAME,...",
                        help=f"sections to renew, of {', '.join(SECTIONS)} (default: all)")
    options = parser.parse_args()
    if unknown := set(options.only) - SECTIONS.keys():
        parser.error(f"there is no section {', '.join(unknown)}")
    run.continue_with("matplotlib", MATPLOTLIB_PACKAGE)
    for name in options.only:
        run.progress(name)
        command = [sys.executable, run.HERE / SECTIONS[name][0], *SECTIONS[name][1:]]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        PAGE.write_text(filled(PAGE.read_text(), name, f"{machine()}\n\n{printed.strip()}"))
    draw_rendering(PAGE.read_text())
    draw_following(PAGE.read_text())
    run.progress("")


def machine():
    """Where and when it was measured."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M) if Path("/proc/cpuinfo").exists() else []
    return f"{datetime.date.today()}, {models[0] if models else platform.processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"


def filled(page, name, text):
    """The page with another text in one of its sections."""
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.S)
    if not pattern.search(page):
        sys.exit(f"{PAGE} has no section {name}")
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def draw_rendering(page):
    """Time and memory over the number of Workspaces."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([\d.]+) \S+ \| [\d.]+ \S+ \| ([\d.]+) ", section(page, "render"), re.M)
    for column, (file, label) in enumerate([("performance-time.svg", "wall time, s"), ("performance-memory.svg", "peak memory, MiB")], 2):
        lines = {name: [(int(row[0]), float(row[column])) for row in rows if row[1] == name] for name in dict.fromkeys(row[1] for row in rows)}
        draw(file, label, lines)


def draw_following(page):
    """What it takes to follow a repository, over the number of Workspaces."""
    text = section(page, "watch") + section(page, "many")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| (\d+) \| ([\d.]+) .*? \| (\d+) \(\d+\) \| [\d.]+% \|$", text, re.M)
    column = lambda number: [(int(row[0]), float(row[number])) for row in rows]
    draw("performance-watch-time.svg", "s", {"first sync": column(1), "commit to applied": column(3)})
    draw("performance-watch-requests.svg", "requests", {"first sync": column(2)})
    draw("performance-watch-memory.svg", "memory at rest, MiB", {"kaito watch": column(4)})


def section(page, name):
    return re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", page, re.S)[1]


def draw(file, label, lines):
    """Some lines over the number of Workspaces."""
    from matplotlib import pyplot
    # So that the same figures are the same file.
    pyplot.rcParams["svg.hashsalt"] = "kaito"
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, points in lines.items():
        axes.plot(*zip(*points), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="Workspaces", ylabel=label)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(IMAGES / file, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
