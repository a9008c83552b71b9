"""Run a command with its output thrown away; print its wall and CPU seconds and peak memory in MiB, as JSON.

A small process of its own, because Linux counts the memory of the process that forks into the peak of the program then
started: measured from run.py, which holds parsed manifests, every program would look at least as big as that. What is
left of the effect is a floor of about 5 MiB.
"""

import json
import os
import sys
import time


def measure(command):
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    # fork and not posix_spawn, which lends the child all of this process and so raises the floor.
    child = os.fork()
    if child == 0:
        try:
            os.dup2(null, 1)
            os.execv(command[0], command)
        finally:
            os._exit(127)
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
