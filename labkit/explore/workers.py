"""Processes that try schedules at the same time, each on a processor of its own.

Where programs meet by keys or names, each worker gets an IPC namespace and a /dev/shm of its own, so that
two runs at the same time do not meet each other.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing import Pipe
from typing import Any

from labkit.explore.runner import Branch, Runner, Tried
from labkit.explore.schedule import Notice
from labkit.kernel.private import separate
from labkit.kernel.ptrace import die_with_parent


class Worker:
    """A process that tries the schedules it is given, on one processor; `apart`: among objects of its own."""

    def __init__(self, runner: Runner, cpu: int, apart: bool, others: Sequence[Worker] = ()) -> None:
        self.pipe, theirs = Pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for worker in (self, *others):  # or nobody would see the end of their pipes
                    worker.pipe.close()
                _serve(runner, cpu, theirs, parent, apart)
            finally:
                os._exit(0)
        theirs.close()

    def give(self, task: Branch, known: frozenset[Notice]) -> None:
        self.pipe.send((task, known))

    def take(self) -> Tried:
        found = self.pipe.recv()
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, Tried)
        return found

    def close(self) -> None:
        """End it. It sees the end of its pipe; that it is told, too, may get lost in Python."""
        self.pipe.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def _serve(runner: Runner, cpu: int, pipe: Any, parent: int, apart: bool) -> None:
    die_with_parent()
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGTERM, _end)
    os.sched_setaffinity(0, {cpu})
    runner.close()
    if apart:
        separate()
    try:
        _work(runner, pipe)
    finally:
        runner.close()


def _work(runner: Runner, pipe: Any) -> None:
    """Until the pipe ends or SIGTERM comes: whichever is first, the other may come while one leaves."""
    try:
        while True:
            branch, known = pipe.recv()
            pipe.send(_attempted(runner, branch, known))
    except (EOFError, OSError):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # leaving already: what is led is ended in peace


def _attempted(runner: Runner, branch: Branch, known: frozenset[Notice]) -> Tried | Exception:
    try:
        return runner.attempt(branch, known)
    except Exception as error:
        return error


def _end(number: int, frame: object) -> None:
    """SIGTERM: leave, and end on the way all that is led."""
    raise SystemExit
