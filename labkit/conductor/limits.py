"""What is hidden of a program, or differs for it, because it is led: told with what is recorded.

Some facts about programs that are traced (ptrace(2), execve(2), prctl(2)):

- A process has one tracer at a time: a debugger of its own is refused with EPERM.
- After PR_SET_NO_NEW_PRIVS, without which an ordinary user may set no filter, nobody gains rights by a
  set-user-id bit or by a file's capabilities.
- A ring of io_uring is memory that the kernel reads: what is asked for there is no system call.
- A filter that refuses a call does so before ours is asked.
"""

from __future__ import annotations

import os
import stat

from labkit.conductor.tasks import Made
from labkit.limits import Limit

FOREIGN = Limit("some calls", "A 32-bit program took part; its calls were not followed.")
FILTERED = Limit("some calls", "A program filters its calls (seccomp); those it refuses were not seen.")
RING = Limit("some calls", "A program uses io_uring: what it asks for in its ring is not seen.")
TIMERS = Limit(
    "timers",
    "A program sets a timer (alarm, setitimer, timerfd): it comes when its time is over by the clock, "
    "and not at every point where it could come.",
)
UNSEEN = frozenset({FOREIGN, RING, TIMERS})
"""With these, not every order can have been tried."""
TRACES = Limit(
    "ptrace",
    "A program wants to trace another, and was refused (EPERM): a process has one tracer at a time, and here "
    "that is whoever records it. A debugger or strace works only in programs that are not recorded.",
)
_EPERM = -1
_TRACEME, _ATTACH, _SEIZE = 0, 16, 0x4206
_SETS_FILTER = (("seccomp", 1), ("prctl", 22))


def limit_of(call: Made) -> Limit | None:
    """What a call that has been made says about the record."""
    if (call.name, call.args[0]) in _SETS_FILTER and call.result == 0:
        return FILTERED
    if call.name == "io_uring_setup" and (call.result or 0) > 0:
        return RING
    if call.name == "ptrace" and call.result == _EPERM and call.args[0] in (_TRACEME, _ATTACH, _SEIZE):
        return TRACES
    return None


def limit_of_program(path: str) -> Limit | None:
    """What executing this program says about the record: elsewhere it would have gained rights."""
    try:
        how = _gains(path)
    except OSError:
        return None
    because = f"{path} would gain rights by its {how}; a program that is recorded does not, and may fail."
    return Limit("rights", because) if how else None


def _gains(path: str) -> str | None:
    file = os.stat(path)
    if file.st_mode & stat.S_ISUID and file.st_uid != os.geteuid():
        return "set-user-id bit"
    if file.st_mode & stat.S_ISGID and file.st_mode & stat.S_IXGRP and file.st_gid != os.getegid():
        return "set-group-id bit"
    if os.geteuid() != 0 and "security.capability" in os.listxattr(path):
        return "capabilities"
    return None
