"""Who does nothing at this moment, told by looking: who sleeps, in which call, and how much it has run.

Some facts:

- A thread that was asleep in two looks and has not run between them (its schedule counters, proc(5))
  was asleep all the time between.
- A thread that waits for another one of its process sleeps in futex, one that waits for a child in wait4:
  what an answer waits for is known only when all its threads and processes have been looked at.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel.numbers import name_of

NAPS = {"clock_nanosleep", "nanosleep"}
"""Calls that nothing but time ends."""

_Asleep = dict[tuple[int, int], tuple[str, bytes]]


class Effort(NamedTuple):
    """What some processes have done so far."""

    cpu_ns: int
    sleeps: int
    """How often one of them has gone to sleep."""


def sleeping_in(pid: int) -> str | None:
    """The system call it sleeps in, seen twice without having run in between; None when it runs."""
    first = _thread(pid, pid)
    return first[0] if first and first == _thread(pid, pid) else None


def at_rest(pids: Iterable[int]) -> set[str]:
    """The calls that all threads of these processes sleep in; nothing when one of them has run meanwhile."""
    pids = list(pids)
    first = _asleep(pids)
    return {call for call, _ in first.values()} if first and first == _asleep(pids) else set()


def effort(pids: Iterable[int]) -> Effort:
    """The sum of what these have done."""
    each = [_effort(pid, tid) for pid in pids for tid in _threads(pid)]
    return Effort(sum(one.cpu_ns for one in each), sum(one.sleeps for one in each))


def state_of(pid: int) -> str:
    """The letter of a process's state (proc(5)); X when it is gone."""
    try:
        return proc.read_stat(pid).state
    except Vanished:
        return "X"


def is_pending(pid: int, number: int) -> bool:
    """True while a signal waits to be delivered to a process."""
    try:
        pending = proc.parse_status(proc.read(b"/proc/%d/status" % pid)).pending
    except Vanished:
        return False
    return bool(pending >> (number - 1) & 1)


def _asleep(pids: Iterable[int]) -> _Asleep | None:
    """Of every thread the call that it sleeps in, and how it has run so far; None when one is awake."""
    found: _Asleep = {}
    for pid in pids:
        for tid in _threads(pid):
            one = _thread(pid, tid)
            if one is not None:
                found[pid, tid] = one
            elif state_of(pid) not in "ZX":
                return None
    return found


def _threads(pid: int) -> Iterator[int]:
    with contextlib.suppress(Vanished):
        yield from proc.numbers_in(b"/proc/%d/task" % pid)


def _thread(pid: int, tid: int) -> tuple[str, bytes] | None:
    """The call that a thread sleeps in, and a text that changes when it runs; None when it is awake."""
    base = b"/proc/%d/task/%d/" % (pid, tid)
    try:
        if proc.parse_stat(proc.read(base + b"stat")).state != "S":
            return None
        ran = proc.read_schedule(base)
        call = proc.parse_syscall(proc.read(base + b"syscall"))
        return (name_of(call.number), ran) if call else None
    except Vanished:
        return None


def _effort(pid: int, tid: int) -> Effort:
    base = b"/proc/%d/task/%d/" % (pid, tid)
    try:
        cpu_ns = _cpu_ns(base)
        _, _, rest = proc.read(base + b"status").partition(b"\nvoluntary_ctxt_switches:")
        return Effort(cpu_ns, int(rest.split()[0]) if rest else 0)
    except Vanished:
        return Effort(0, 0)


def _cpu_ns(base: bytes) -> int:
    if proc.schedule_file() == b"schedstat":
        return int(proc.read(base + b"schedstat").split()[0])
    ticks = proc.read(base + b"stat").rpartition(b")")[2].split()[11:13]
    return sum(map(int, ticks)) * 10**9 // os.sysconf("SC_CLK_TCK")
