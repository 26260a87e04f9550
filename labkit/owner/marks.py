"""A mark that no program can take off: who belongs to which notebook, proven by the kernel.

Some facts about resource limits (getrlimit(2), proc(5)):

- Limits are inherited over fork and kept over exec, also of set-user-id programs. They survive
  setsid, a second fork, an empty environment and every change of name.
- Anyone may lower a hard limit; only a privileged process may raise one.
- RLIMIT_LOCKS has had no effect since Linux 2.4.25; any value may stand there.
- /proc/PID/limits can be read by everybody, also for a zombie.

What follows for us: each program starts with a number of its own as RLIMIT_LOCKS, and whatever has
that number is that program's, however far it ran. The environment, a session, a parent could not tell.
"""

from __future__ import annotations

import os
import resource

RLIMIT_LOCKS = 10

_BITS = 16
"""Low bits of a mark: the number of the program; the bits above are the notebook's."""


def new_notebook() -> int:
    """A number for a notebook; lower than the limit we live under, so that marks may be set in marks."""
    hard = resource.getrlimit(RLIMIT_LOCKS)[1]
    highest = 1 << 46 if hard == resource.RLIM_INFINITY else hard >> _BITS
    return 1 + int.from_bytes(os.urandom(8), "big") % max(highest - 1, 1)


def of_program(notebook: int, number: int) -> int:
    """The mark of a notebook's n-th program."""
    return notebook << _BITS | number & (1 << _BITS) - 1


def notebook_of(mark: int) -> int:
    """The notebook that a mark was made from."""
    return mark >> _BITS


def put(mark: int) -> None:
    """Mark this process and all that will descend from it."""
    resource.setrlimit(RLIMIT_LOCKS, (mark, mark))


def read(pid: int) -> int | None:
    """The mark of a process; None when it has none or is gone."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            text = file.read()
    except OSError:
        return None
    word = text.partition(b"Max file locks")[2].split(None, 2)[:2]
    return int(word[1]) if len(word) == 2 and word[1].isdigit() else None


def everybody() -> dict[int, int]:
    """Every process that bears a mark: pid -> mark."""
    found = {pid: read(pid) for pid in pids()}
    return {pid: mark for pid, mark in found.items() if mark is not None}


def pids() -> list[int]:
    """Every process that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
