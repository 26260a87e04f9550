"""A film of a program of 10,000 pipe calls, scenes included, against `strace` of the same calls.

`strace on one`: strace and its program on one processor, as a film and its programs are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from labkit.camera import Options, record
from labkit.kernel.calls import CALLS
from labkit.programs import Command

CALLS_EACH = 5_000
ROUNDS = 3
MOST = 1.0
PROGRAMS = Path(__file__).parent.parent / "tests" / "programs"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pipecalls"
        subprocess.run(["gcc", "-O1", "-o", program, PROGRAMS / "pipecalls.c"], check=True)
        argv = (str(program), str(CALLS_EACH))
        traced = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-o",
            f"{folder}/log",
            "-e",
            f"trace={','.join(CALLS)}",
            *argv,
        ]
        names = ("strace", "strace on one", "film", "film without scenes")
        times: dict[str, list[float]] = {name: [] for name in names}
        one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
        for _ in range(ROUNDS):
            times["strace"].append(seconds(lambda: subprocess.run(traced, check=True)))
            times["strace on one"].append(seconds(lambda: subprocess.run([*one, *traced], check=True)))
            for name, scenes in (("film", True), ("film without scenes", False)):
                options = Options(scenes=scenes, frames=10**6)
                times[name].append(seconds(lambda: record([Command(argv)], options)))  # noqa: B023
    best = {name: min(found) for name, found in times.items()}
    for name, found in best.items():
        print(f"{name:<20} {found:7.2f} s   {found / best['strace']:6.2f} of strace")
    print(f"aim: a film takes at most {MOST:g} of strace's time")
    return 0 if best["film"] <= MOST * best["strace"] else 1


def seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
