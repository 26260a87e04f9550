"""Whether a program waits for something to be typed: does one of its threads sleep until there is?

It may sleep in `read`, or in one of the calls that wait for several descriptors, with the terminal among
those that shall become readable (Python does so for `input()` once `readline` is imported).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from labkit.errors import LabError
from labkit.kernel import blocked, files, proc, syscalls
from labkit.kernel.numbers import name_of

_CALLS = {"read", "readv", "select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait"}


def somebody_reads(terminal: str, pids: Iterable[int]) -> bool:
    """True when a thread of one of these processes is blocked until this terminal can be read."""
    return any(_reads(terminal, pid, tid) for pid in pids for tid in _threads(pid))


def _threads(pid: int) -> list[int]:
    try:
        return proc.numbers_in(b"/proc/%d/task" % pid)
    except (LabError, OSError):
        return []


def _reads(terminal: str, pid: int, tid: int) -> bool:
    try:
        call = proc.parse_syscall(proc.read(b"/proc/%d/task/%d/syscall" % (pid, tid)))
        if call is None or name_of(call.number) not in _CALLS:
            return False
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") == terminal for fd in _awaited(pid, call))
    except (LabError, OSError):
        return False


def _awaited(pid: int, call: proc.Syscall) -> list[int]:
    """The descriptors that shall become readable."""
    name = name_of(call.number)
    waiting = blocked.waiting(name, call.arguments, lambda address, size: _memory(pid, address, size))
    on = waiting.on
    if name.startswith("epoll"):
        info = proc.parse_fdinfo(proc.read(b"/proc/%d/fdinfo/%d" % (pid, waiting.fd or 0)))
        on = tuple((one.fd, files.event_words(one.events)) for one in files.parse_epoll(info.more))
    elif waiting.fd is not None:
        return [waiting.fd]
    return [fd for fd, events in on if "readable" in events]


def _memory(pid: int, address: int, size: int) -> bytes | None:
    data = syscalls.process_vm_readv(pid, address, size)
    return data if len(data) == size else None
