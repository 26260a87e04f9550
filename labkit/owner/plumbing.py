"""Sockets that Jupyter opens for itself after labkit was loaded: they are no part of a picture.

Some facts:

- A front end comes through a socket that listened before: a TCP one has the listener's port, a Unix one
  the listener's path (/proc/PID/net/tcp, /proc/PID/net/unix).
- An event loop of Python (asyncio; ipykernel begins one for each subshell) makes an epoll and a pair of
  connected Unix sockets without a name, neither of which blocks, to wake itself up; one of them stands in
  the epoll's `tfd` lines. The kernel gives the two ends of a pair numbers that follow on one another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from labkit.errors import LabError
from labkit.kernel import files, proc

_LISTENS = "0A"
_ACCEPTS = 0x10000
"""__SO_ACCEPTCON: a Unix socket that listens."""
_KEPT_S = 1.0
"""So long it is believed that a socket is the learner's: an event loop is not made in one stroke."""


class Plumbing:
    """Tells a notebook's own sockets from a learner's."""

    def __init__(self, pid: int, before: Iterable[bytes]) -> None:
        """`before`: what was open when labkit was loaded, as links."""
        self._pid = pid
        old = frozenset(before)
        self._ports = {port for port, state, link in self._tcp() if link in old and state == _LISTENS}
        self._doors = {path for path, flags, link in self._unix() if link in old and flags & _ACCEPTS}
        self._known: set[bytes] = set()
        self._learners: dict[bytes, float] = {}

    def has(self, fd: int, link: bytes) -> bool:
        """Is this socket Jupyter's?"""
        if link in self._known:
            return True
        if time.monotonic() < self._learners.get(link, 0.0):
            return False
        if self._is_front_end(link) or self._wakes_a_loop(fd, link):
            self._known.add(link)
            return True
        self._learners[link] = time.monotonic() + _KEPT_S
        return False

    def _is_front_end(self, link: bytes) -> bool:
        return any(port in self._ports and other == link for port, _, other in self._tcp()) or any(
            path in self._doors and other == link for path, _, other in self._unix()
        )

    def _wakes_a_loop(self, fd: int, link: bytes) -> bool:
        if not self._never_blocks(fd) or not any(
            not path and other == link for path, _, other in self._unix()
        ):
            return False
        inode = int(link[8:-1])
        return any(inode - watched in (0, 1) for watched in self._watched())

    def _never_blocks(self, fd: int) -> bool:
        try:
            info = proc.parse_fdinfo(proc.read(b"/proc/%d/fdinfo/%d" % (self._pid, fd)))
        except (LabError, OSError):
            return False
        return bool((info.flags or 0) & os.O_NONBLOCK)

    def _watched(self) -> list[int]:
        """The inodes of all that the notebook's epolls watch."""
        found: list[int] = []
        base = b"/proc/%d/" % self._pid
        try:
            for fd in proc.numbers_in(base + b"fd"):
                if os.readlink(base + b"fd/%d" % fd) == b"anon_inode:[eventpoll]":
                    info = proc.parse_fdinfo(proc.read(base + b"fdinfo/%d" % fd))
                    found += [watched.inode for watched in files.parse_epoll(info.more)]
        except (LabError, OSError):
            pass  # something was closed just now: asked again in a second
        return found

    def _tcp(self) -> list[tuple[str, str, bytes]]:
        """Each TCP socket of the notebook's network: (local port, state, link)."""
        rows = [*self._rows("tcp"), *self._rows("tcp6")]
        return [(row[1].rpartition(":")[2], row[3], b"socket:[%d]" % int(row[9])) for row in rows]

    def _unix(self) -> list[tuple[str, int, bytes]]:
        """Each Unix socket: (path, flags, link); an accepted one bears its listener's path."""
        rows = [row for row in self._rows("unix") if len(row) > 6]
        return [(" ".join(row[7:]), int(row[3], 16), b"socket:[%d]" % int(row[6])) for row in rows]

    def _rows(self, table: str) -> list[list[str]]:
        try:
            with open(f"/proc/{self._pid}/net/{table}", encoding="utf-8", errors="replace") as lines:
                return [line.split() for line in lines][1:]
        except OSError:
            return []
