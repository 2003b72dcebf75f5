"""What a command takes: run as a script, ``usage.py COMMAND…`` prints times and memory as JSON.

A process of its own, and a small one: Linux counts the memory of the process that starts a command
towards the command's peak.
"""

import json
import os
import subprocess
import sys
from time import perf_counter

__all__: list[str] = []


def _main(command: list[str]) -> int:
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        # Its own time and that of the processes that it waited for; the memory of the largest.
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        # Interrupted: it must not go on writing into a folder that is being removed.
        process.terminate()
        process.wait()
        raise
    wall_s = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    taken = {
        "wall_s": wall_s,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    print(json.dumps(taken))
    return process.returncode


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
