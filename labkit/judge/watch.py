"""What an answer takes of the machine as a whole; limits of single processes are the Linux kernel's to keep.

Some facts:

- RLIMIT_AS binds one process, not all of them; memory that is attached or written to without being
  mapped (memfds, detached System V segments) is in nobody's RSS.
- A tmpfs limits its bytes when told to, its inodes only to half the machine's pages.

What follows for us: a few times a second the sum of all RSS, the inodes of the room's file systems and the
memory that the machine has left are looked at, and whoever takes too much is stopped.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable

from labkit.exercises import Failed

EVERY_S = 0.1
MOST_MEMORY = 768 << 20
MOST_FILES = 10_000
LEAST_LEFT = 0.05
"""Of the machine's memory: when less is left, the answer is stopped whatever it did."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Looks at a room, not too often."""

    def __init__(self, root: str) -> None:
        self._root = root
        """The room's root directory, as /proc shows it."""
        self._next = 0.0

    def look(self, pids: Callable[[], Iterable[int]]) -> None:
        """Fails when these processes, all of the room, take too much."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        if sum(map(_resident, pids())) > MOST_MEMORY:
            raise Failed(f"It took more than {MOST_MEMORY >> 20} MB of memory, and was stopped.")
        if _files(f"{self._root}/tmp") + _files(f"{self._root}/dev/shm") > MOST_FILES:
            raise Failed(f"It made more than {MOST_FILES} files, and was stopped.")
        if _left() < LEAST_LEFT:
            raise Failed("The machine ran out of memory while it ran, and it was stopped.")


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE
    return 0


def _files(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_files - found.f_ffree


def _left() -> float:
    """How much of the machine's memory could still be given out, from 0 to 1."""
    with open("/proc/meminfo", encoding="ascii") as file:
        sizes = dict(line.split(":", 1) for line in file)
    total, left = (int(sizes[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return left / total
