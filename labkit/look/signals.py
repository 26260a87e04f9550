"""Signal sets by name, in the order of their numbers."""

from __future__ import annotations

import functools

from labkit.kernel import proc
from labkit.scene import Signals

_WORDS = """HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP
TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"""
_NAMES = tuple(_WORDS.split())
_FIRST_REAL_TIME = 34
"""SIGRTMIN as glibc and musl have it; 32 and 33 they keep for themselves."""


def describe(status: proc.Status | None) -> Signals | None:
    """The four sets of a process; None when they could not be read."""
    if status is None:
        return None
    return _named(status.pending, status.blocked, status.ignored, status.caught)


@functools.lru_cache(1024)
def _named(*masks: int) -> Signals:
    return Signals(*map(names, masks))


@functools.lru_cache(1024)
def names(mask: int) -> tuple[str, ...]:
    """The signals in a mask: bit n-1 is signal n."""
    return tuple(name(n) for n in range(1, 65) if mask >> (n - 1) & 1)


def name(n: int) -> str:
    """`SIGINT`, `SIGRTMIN+3`; the two that the C library keeps for itself by number."""
    if n <= len(_NAMES):
        return f"SIG{_NAMES[n - 1]}"
    if n < _FIRST_REAL_TIME:
        return f"SIG{n}"
    return f"SIGRTMIN+{n - _FIRST_REAL_TIME}" if n > _FIRST_REAL_TIME else "SIGRTMIN"
