"""Run a command with its output thrown away; print its wall and CPU seconds and peak memory in MiB, as JSON.

A small process of its own, because Linux counts the memory of the process that starts a program into that program's peak:
measured from run.py, which holds parsed manifests, every program would look at least as big as that. What is left of the
effect is a floor of about 8 MiB.

The program is spawned and not forked: a fork copies this process before there is a program, which takes as long as a
small program runs, and would be taken for a part of it.
"""

import json
import os
import sys
import time


def measure(command):
    null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=null)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")

    peak_units_per_mib = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / peak_units_per_mib,
    }


print(json.dumps(measure(sys.argv[1:])))
