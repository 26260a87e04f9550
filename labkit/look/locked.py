"""Pipes that may not be touched now: to ask what is in them would mean to wait, perhaps for ever.

splice(2) and sendfile(2) into a pipe keep its lock while they wait for their source to have something
(`labkit/kernel/pipes.py`). So, right before a pipe is asked, those who could hold its lock are: each thread
that has it open for writing shows in which call it is. One that enters the call in the few microseconds
between, and finds nothing to move, makes us wait until it does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import numbers, proc
from labkit.look import Look

KEPT_NS = 200_000
Ends = Iterable[tuple[int, int]]
"""(pid, fd) of write ends."""

_TARGET = {"splice": 2, "sendfile": 0}
"""The argument that says where the bytes go."""
_UNLOCKED = b"pipe_wait"
"""Who sleeps in such a function waits for room in the pipe, and has let go of it."""
_NO_STACK = b" 0x0 0x0\n"
"""So shows the worker of an io_uring, which lives in the kernel only; and a thread that has ended."""
_AT_REST = (b"io_wq_worker", b"0", b"")


class _Filling(NamedTuple):
    """Into what the threads of one process were moving bytes, at one time."""

    fds: frozenset[int] | None
    """None: into any that it has, as the workers of an io_uring do not tell."""
    until_ns: int


def filler(look: Look, ends: Ends) -> int | None:
    """The pid of one who may hold this pipe's lock now; None when nobody does."""
    return next((pid for pid, fd in ends if _fills(look, pid, fd)), None)


def _fills(look: Look, pid: int, fd: int) -> bool:
    known: dict[int, _Filling] = look.kept.setdefault("fillers", {})
    filling = known.get(pid)
    if filling is None or time.monotonic_ns() > filling.until_ns:
        filling = known[pid] = _filling(look, pid)
    return filling.fds is None or fd in filling.fds


def _filling(look: Look, pid: int) -> _Filling:
    begun_ns = time.monotonic_ns()
    fds: set[int] | None = set()
    for tid in _threads(look, pid):
        more = _target(b"/proc/%d/task/%d/" % (pid, tid))
        fds = None if more is None or fds is None else fds | more
    now_ns = time.monotonic_ns()  # a thousand threads are not asked again for each of a thousand pipes
    return _Filling(None if fds is None else frozenset(fds), now_ns + max(KEPT_NS, 10 * (now_ns - begun_ns)))


def _threads(look: Look, pid: int) -> Iterable[int]:
    if pid in look.seen:
        return look.seen[pid].threads
    try:
        return proc.numbers_in(b"/proc/%d/task" % pid)
    except (Vanished, OSError):
        return ()


def _target(base: bytes) -> set[int] | None:
    try:
        text = proc.read(base + b"syscall")
        if text.endswith(_NO_STACK):
            return set() if proc.read(base + b"wchan") in _AT_REST else None
        call = proc.parse_syscall(text)
        argument = _TARGET.get(numbers.name_of(call.number) or "") if call else None
        if call is None or argument is None or _UNLOCKED in proc.read(base + b"wchan"):
            return set()
        return {call.arguments[argument] & 0xFFFFFFFF}
    except (Vanished, OSError):  # gone, or it may not be asked: then nothing is known against it
        return set()
