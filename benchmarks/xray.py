"""One look at 8 processes with 88 descriptors and 32 pipes: ours beside `lsof`, `ipcs` and `ss`.

    .venv/bin/python benchmarks/xray.py            the whole
    .venv/bin/python benchmarks/xray.py --quick    without the growth

Everything is measured in this one run, so that the ratios hold on any machine. `floor` is a C program
that makes the same reads (xray_floor.c) and keeps nothing of them.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from labkit.kernel import pipes, syscalls
from labkit.scene import Pipe, Scene
from labkit.xray import XRay, xray

HERE = Path(__file__).resolve().parent
PIPES = 32


def family(processes: int) -> int:
    """The pid of a parent whose family of `processes` holds 11 descriptors each, 4 pipes a process."""
    ready, tell = os.pipe()
    parent = os.fork()
    if parent:
        os.close(tell)
        for _ in range(processes):
            assert os.read(ready, 1) == b"."
        os.close(ready)
        return parent
    os.setsid()
    os.dup2(tell, 100)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, 100)
    os.closerange(101, 4096)
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    return _hold()


def _hold() -> NoReturn:
    """3 standard descriptors and 8 ends of 4 pipes, one with bytes in it; then asleep."""
    pipes = [os.pipe() for _ in range(4)]
    os.write(pipes[1][1], b"some bytes that wait to be read")
    os.write(100, b".")
    os.close(100)
    signal.pause()
    os._exit(0)


def end(parent: int) -> None:
    """No process of the family is left."""
    os.killpg(parent, signal.SIGKILL)
    os.waitpid(parent, 0)


def best(action: Callable[[], object], times: int) -> float:
    """The shortest time of one, in milliseconds: what else runs on the machine only adds to it."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken.append((time.perf_counter() - begin) * 1e3)
    return min(taken)


def tools(pids: list[int]) -> None:
    """What one would type instead."""
    listed = ",".join(map(str, pids))
    for command in (
        ["lsof", "-E", "-p", listed],
        ["ipcs", "-a"],
        ["ss", "-a", "-p"],
    ):  # -E: who has the other end
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def floor(pids: list[int], folder: str) -> float:
    """Milliseconds for the same reads in C."""
    program = f"{folder}/floor"
    subprocess.run(["gcc", "-O2", "-o", program, str(HERE / "xray_floor.c")], check=True)
    done = subprocess.run([program, "300", *map(str, pids)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def compare(times: int) -> None:
    """The table of one look."""
    parent = family(8)
    try:
        camera = XRay()
        scene = camera.look(parent)
        pids = [process.pid for process in scene.processes]
        held = sum(len(process.descriptors or ()) for process in scene.processes)
        pipes = sum(thing.kind == "pipe" for thing in scene.objects)
        print(f"{len(pids)} processes, {held} descriptors, {pipes} pipes")
        ours = best(lambda: camera.look(parent), times)
        single = best(lambda: xray(parent), times)
        first = best(lambda: XRay().look(parent), times // 4)
        theirs = best(lambda: tools(pids), max(times // 20, 5))
        many = theirs / ours
        print(f"  labkit, each look of a view      {ours:8.3f} ms")
        print(f"  labkit.xray(pid), again and again{single:8.3f} ms")
        print(f"  labkit, a first look             {first:8.3f} ms")
        print(f"  lsof + ipcs + ss                 {theirs:8.3f} ms   {many:5.1f} times a look (aim: 40)")
        window(camera, scene)
        with tempfile.TemporaryDirectory() as folder:
            lowest = floor(pids, folder)
        ratio = f"a look is {ours / lowest:.1f} times that (aim: 5)"
        print(f"  the same reads in C              {lowest:8.3f} ms   {ratio}")
    finally:
        end(parent)


def window(camera: XRay, scene: Scene) -> None:
    """How long a copied end of a pipe lives: the only time in which somebody could notice a look."""
    pipe = next(thing for thing in scene.objects if isinstance(thing, Pipe))
    pidfd = os.pidfd_open(pipe.writers[0].pid)
    alive = []
    for _ in range(1000):
        begin = time.perf_counter()
        copy = syscalls.pidfd_getfd(pidfd, pipe.writers[0].fd)
        pipes.levels(copy, writing=True)
        os.close(copy)
        alive.append(time.perf_counter() - begin)
    os.close(pidfd)
    middle = statistics.median(alive)
    duty = f"{middle * 30:.4%} of the time at 30 looks a second"
    print(f"  a copied end lives               {middle * 1e6:8.1f} µs   {duty}")


def growth() -> None:
    """A look's time on a processor against the number of processes: a straight line is the aim."""
    for processes in (8, 80, 400):
        parent = family(processes)
        try:
            camera = XRay()
            camera.look(parent)
            taken = min(_processor_time(camera, parent) for _ in range(20))
            print(f"  {processes:4d} processes  {taken:8.2f} ms   {taken / processes * 1e3:6.1f} µs each")
        finally:
            end(parent)


def _processor_time(camera: XRay, parent: int) -> float:
    """Milliseconds of a look on a processor, whatever else runs on the machine."""
    begin = time.process_time()
    camera.look(parent)
    return (time.process_time() - begin) * 1e3


def cold_start() -> None:
    """`labkit xray PID`, from nothing."""
    parent = family(8)
    try:
        command = [sys.executable, "-m", "labkit", "xray", str(parent), "--json"]
        taken = best(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True), 9)
        print(f"  labkit xray PID, cold            {taken:8.1f} ms   (aim: under 250)")
    finally:
        end(parent)


if __name__ == "__main__":
    compare(200)
    cold_start()
    if "--quick" not in sys.argv:
        growth()
