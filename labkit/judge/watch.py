"""What an answer takes of the machine as a whole; limits of single processes are the Linux kernel's to keep.

Some facts:

- RLIMIT_AS binds one process, not all of them; memory that is attached or written to without being
  mapped (memfds, detached System V segments) is in nobody's RSS.
- A tmpfs limits its bytes when told to, its inodes only to half the machine's pages.
- The pages of pipes are counted for each user (pipe(7), pipe-user-pages-soft): above 1,024 pipes, new ones
  are small. Rooms of one ordinary user are all of that user; root is not counted.

What follows for us: a few times a second the sum of all RSS, the inodes of the room's file systems, and the
memory and the pipes that are left for everybody are looked at, and whoever takes too much is stopped.
When there is too little for everybody, and this answer did not visibly take it, somebody else's did: then
it is stopped too, but only to be judged again (`Poor`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator

from labkit.exercises import Failed

EVERY_S = 0.1
MOST_MEMORY = 768 << 20
MOST_FILES = 10_000
LEAST_LEFT = 0.05
"""Of the machine's memory: when less is left, the answer is stopped whatever it did."""

MUCH_MEMORY = 128 << 20
"""Who has more than this when the machine has none has taken it."""
MANY_PIPES = 60
PATIENCE_S = 5
"""How long one waits for others to give back what they took."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Poor(Failed):
    """There was too little for everybody, and it was not this answer that took it."""


class Watch:
    """Looks at a room, not too often."""

    def __init__(self, root: str, segments_bytes: Callable[[], int]) -> None:
        self._root = root
        """The room's root directory, as /proc shows it."""
        self._segments_bytes = segments_bytes
        self._next = 0.0
        wait_for_plenty()
        self.pipes_count = not _pipes_are_small()
        """False where they stay small: it is then no answer's doing."""

    def look(self, pids: Callable[[], Iterable[int]], at_once: bool = False) -> None:
        """Fails when these processes, all of the room, take too much."""
        if time.monotonic() < self._next and not at_once:
            return
        self._next = time.monotonic() + EVERY_S
        members = list(pids())
        memory = sum(map(_resident, members))
        if memory > MOST_MEMORY:
            raise Failed(f"It took more than {MOST_MEMORY >> 20} MB of memory, and was stopped.")
        if _files(f"{self._root}/tmp") + _files(f"{self._root}/dev/shm") > MOST_FILES:
            raise Failed(f"It made more than {MOST_FILES} files, and was stopped.")
        if _left() < LEAST_LEFT:
            guilty = memory + sum(map(_memfds, members)) + self._segments_bytes() > MUCH_MEMORY
            raise (Failed if guilty else Poor)("The machine ran out of memory while it ran: it was stopped.")
        if self.pipes_count and _pipes_are_small():
            if len(set().union(*map(_pipes, members))) > MANY_PIPES:
                raise Failed(f"It had more than {MANY_PIPES} pipes, so many that none were left for others.")
            raise Poor("The machine ran out of pipes while it ran: it was stopped.")


def wait_for_plenty() -> None:
    """Wait until there is enough for everybody again; not for ever."""
    end = time.monotonic() + PATIENCE_S
    while (_left() < LEAST_LEFT or _pipes_are_small()) and time.monotonic() < end:
        time.sleep(EVERY_S)


def _pipes_are_small() -> bool:
    r, w = os.pipe()
    try:
        return is_small(w)
    finally:
        os.close(r)
        os.close(w)


def is_small(pipe: int) -> bool:
    """True for a pipe that has less room than pipes are born with."""
    return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) < 16 * _PAGE


def _pipes(pid: int) -> set[str]:
    """The pipes that a process has open, by what the Linux kernel calls them."""
    return {link for _, link in _links(pid) if link.startswith("pipe:")}


def _memfds(pid: int) -> int:
    """Bytes in the memfds that a process has open."""
    found = 0
    for path, link in _links(pid):
        with contextlib.suppress(OSError):
            found += os.stat(path).st_blocks * 512 if link.startswith("/memfd:") else 0
    return found


def _links(pid: int) -> Iterator[tuple[str, str]]:
    """A process's descriptors: (path in /proc, what it leads to)."""
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield f"/proc/{pid}/fd/{name}", os.readlink(f"/proc/{pid}/fd/{name}")


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
