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
    "watch": ["watch.py", "--counts", "100,1000"],
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
        if name == "render":
            draw(printed)
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


def draw(printed):
    """Time and memory over the number of Workspaces."""
    from matplotlib import pyplot
    # So that the same figures are the same file.
    pyplot.rcParams["svg.hashsalt"] = "kaito"
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([\d.]+) \S+ \| [\d.]+ \S+ \| ([\d.]+) ", printed, re.M)
    for column, (file, label) in enumerate([("performance-time.svg", "wall time, s"), ("performance-memory.svg", "peak memory, MiB")], 2):
        figure, axes = pyplot.subplots(figsize=(6, 4))
        for name in dict.fromkeys(row[1] for row in rows):
            points = [(int(row[0]), float(row[column])) for row in rows if row[1] == name]
            axes.plot(*zip(*points), marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel="Workspaces", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(IMAGES / file, bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)


if __name__ == "__main__":
    main()
