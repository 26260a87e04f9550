"""Schedules a second on the 2 × 2 race, in C and in Python; and how many it takes as processes grow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from labkit import launcher
from labkit.explore import Options, explore
from labkit.programs import Command

PROGRAMS = Path(__file__).parent.parent / "tests" / "programs"
LEAST_A_SECOND = 400.0
RACE = """
import mmap, os
memory = mmap.mmap(-1, 4096)
child = os.fork()
for _ in range(2):
    os.sched_yield()
    value = memory[0]
    os.sched_yield()
    memory[0] = value + 1
if child == 0: os._exit(0)
os.waitpid(child, 0)
print(memory[0])
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("shmrace", "race", "semaphores"):
            subprocess.run(
                ["gcc", "-O1", "-pthread", "-o", f"{folder}/{name}", PROGRAMS / f"{name}.c"], check=True
            )
        source = Path(folder) / "race.py"
        source.write_text(RACE)
        python = Command((sys.executable, str(launcher.__file__), str(source), "race", "race"))
        in_c = rate("C", Command((f"{folder}/shmrace",)))
        in_python = rate("Python", python)
        print(f"Python / C           {in_python / in_c:10.2f}   (aim: 0.5)")
        grow(folder)
    print(f"aim: {LEAST_A_SECOND:g} schedules a second in C on two processors")
    return 0 if in_c >= LEAST_A_SECOND and in_python >= in_c / 2 else 1


def rate(name: str, command: Command) -> float:
    """Schedules a second of the 2 × 2 race, all of them tried."""
    began = time.perf_counter()
    found = explore([command], Options(exhaustive=True))
    a_second = found.schedules / (time.perf_counter() - began)
    processors = len(os.sched_getaffinity(0))
    print(f"2 × 2 race in {name:<6} {a_second:10.0f} schedules a second on {processors} processors")
    return a_second


def grow(folder: str) -> None:
    """How many schedules it takes as processes grow, with and without leaving out."""
    print(f"{'':<34}{'brute force':>12}{'reduced':>10}")
    programs = [(f"{n} processes, one guarded increment", ("race", str(n), "1", "sysv")) for n in (2, 3)]
    programs += [(f"{n} philosophers", ("semaphores", "philosophers", str(n))) for n in (2, 3)]
    for words, (name, *arguments) in programs:
        command = Command((f"{folder}/{name}", *arguments))
        brute, short = (
            explore([command], Options(exhaustive=every, total_seconds=20.0)) for every in (True, False)
        )
        print(f"{words:<34}{count(brute):>12}{count(short):>10}")


def count(found: object) -> str:
    return f"{found.schedules}{'' if found.complete else '+'}"  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
