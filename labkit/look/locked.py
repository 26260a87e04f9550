"""Pipes that may not be touched now: to ask what is in them would mean to wait, perhaps for ever.

Who moves bytes into a pipe or out of it keeps its lock while he waits for something else: splice(2) and
sendfile(2) for their source, any call for a page of its memory that another process has to bring
(`labkit/kernel/pipes.py`). So, right before a pipe is asked, those who could hold its lock are: each thread
that has it open shows in which call it is. One that enters such a call in the few microseconds between, and
has to wait there, makes us wait as long.
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
"""(pid, fd) of a pipe's ends."""

_MOVES = {
    **dict.fromkeys(("read", "readv", "preadv2", "write", "writev", "pwritev2", "vmsplice"), (0,)),
    "sendfile": (0, 1),
    "splice": (0, 2),
    "tee": (0, 1),
}
"""Calls that move bytes: which arguments are descriptors."""
_HOLD_NOTHING = (b"pipe", b"ptrace", b"signal", b"freez", b"refrigerator", b"seccomp")
"""In functions of such names sleeps who waits for the pipe itself; or who is stopped, which happens only on
the way into a call and out of it."""
_NO_STACK = b" 0x0 0x0\n"
"""So shows the worker of an io_uring, which lives in the kernel only; and a thread that has ended."""
_AT_REST = (b"io_wq_worker", b"0", b"")


class _Moving(NamedTuple):
    """On what the threads of one process were at work, at one time."""

    fds: frozenset[int] | None
    """None: any that it has, as the workers of an io_uring do not tell."""
    until_ns: int


def mover(look: Look, ends: Ends) -> int | None:
    """The pid of one who may hold this pipe's lock now; None when nobody does."""
    return next((pid for pid, fd in ends if _moves(look, pid, fd)), None)


def _moves(look: Look, pid: int, fd: int) -> bool:
    known: dict[int, _Moving] = look.kept.setdefault("movers", {})
    moving = known.get(pid)
    if moving is None or time.monotonic_ns() > moving.until_ns:
        moving = known[pid] = _moving(look, pid)
    return moving.fds is None or fd in moving.fds


def _moving(look: Look, pid: int) -> _Moving:
    begun_ns = time.monotonic_ns()
    fds: set[int] | None = set()
    for tid in _threads(look, pid):
        more = _held_up_on(b"/proc/%d/task/%d/" % (pid, tid))
        fds = None if more is None or fds is None else fds | more
    now_ns = time.monotonic_ns()  # a thousand threads are not asked again for each of a thousand pipes
    return _Moving(None if fds is None else frozenset(fds), now_ns + max(KEPT_NS, 10 * (now_ns - begun_ns)))


def _threads(look: Look, pid: int) -> Iterable[int]:
    if pid in look.seen:
        return look.seen[pid].threads
    try:
        return proc.numbers_in(b"/proc/%d/task" % pid)
    except (Vanished, OSError):
        return ()


def _held_up_on(base: bytes) -> set[int] | None:
    try:
        text = proc.read(base + b"syscall")
        if text.endswith(_NO_STACK):
            return set() if proc.read(base + b"wchan") in _AT_REST else None
        call = proc.parse_syscall(text)
        descriptors = _MOVES.get(numbers.name_of(call.number) or "") if call else None
        if call is None or descriptors is None or _holds_nothing(proc.read(base + b"wchan"), descriptors):
            return set()
        return {call.arguments[argument] & 0xFFFFFFFF for argument in descriptors}
    except (Vanished, OSError):  # gone, or it may not be asked: then nothing is known against it
        return set()


def _holds_nothing(where: bytes, descriptors: tuple[int, ...]) -> bool:
    """Not where the kernel does not say in what it sleeps, and the call is one between two."""
    if where in (b"0", b""):
        return len(descriptors) == 1
    return any(word in where for word in _HOLD_NOTHING)
