"""Whether a program waits for something to be typed: is one of its processes asleep in `read` there?"""

from __future__ import annotations

import os
from collections.abc import Iterable

from labkit.errors import LabError
from labkit.kernel import proc
from labkit.kernel.numbers import number


def somebody_reads(terminal: str, pids: Iterable[int]) -> bool:
    """True when one of these processes is blocked reading this terminal."""
    return any(_reads(terminal, pid) for pid in pids)


def _reads(terminal: str, pid: int) -> bool:
    try:
        call = proc.parse_syscall(proc.read(b"/proc/%d/syscall" % pid))
        if call is None or call.number != number("read"):
            return False
        return os.readlink(f"/proc/{pid}/fd/{call.arguments[0]}") == terminal
    except (LabError, OSError):
        return False
