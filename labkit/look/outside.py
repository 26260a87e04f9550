"""Who holds something too, and is not in the picture.

What can be proven, and how:

- Every readable process's table lists what it holds. `True` is always certain: somebody was seen.
- `False` takes more. Descriptors may be in flight in a socket; processes may hide their tables (another
  user's), or not be in our /proc at all (another PID namespace). An anonymous pipe comes to a process
  only from its maker: by fork, or by a socket. So one that has all its sides inside the picture was
  made there, unless somebody shows it too; one with a side missing may be an unseen ancestor's.
- Otherwise it is not known: None.

Reading every table costs a millisecond or more, so the answers are kept for a second, and asked anew
before anything is claimed because of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING

from labkit.errors import Vanished
from labkit.kernel import proc, rights

if TYPE_CHECKING:
    from labkit.look import Look

KEPT_NS = 1_000_000_000


class Scan:
    """Everything that processes outside the picture hold, at one time."""

    def __init__(self, inside: frozenset[int]) -> None:
        self.taken_ns = time.monotonic_ns()
        self.inside = inside
        self.links: dict[bytes, list[tuple[int, int]]] = {}
        """Link -> (pid, fd) of everybody outside who has it."""
        self.hidden = False
        """Somebody would not show what it holds."""
        self._files: dict[tuple[int, int], list[tuple[int, int]]] | None = None
        for pid in proc.numbers_in(b"/proc"):
            if pid not in inside:
                self._read(pid)

    def is_old(self) -> bool:
        """Too old to go by."""
        return time.monotonic_ns() - self.taken_ns > KEPT_NS

    def _read(self, pid: int) -> None:
        base = b"/proc/%d/fd/" % pid
        try:
            names = os.listdir(base)
        except OSError as error:
            self.hidden |= isinstance(proc.translated(error, base), PermissionError) and _lives(pid)
            return
        for name in names:
            try:
                self.links.setdefault(os.readlink(base + name), []).append((pid, int(name)))
            except OSError:
                continue

    def files(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """(device, inode) -> who has it; only for what has a path, and only when asked."""
        if self._files is None:
            self._files = {}
            for link, holders in self.links.items():
                if link.startswith(b"/"):
                    self._stat(holders)
        return self._files

    def _stat(self, holders: list[tuple[int, int]]) -> None:
        assert self._files is not None
        for pid, fd in holders:
            try:
                found = os.stat(b"/proc/%d/fd/%d" % (pid, fd))
            except OSError:
                continue
            self._files.setdefault((found.st_dev, found.st_ino), []).append((pid, fd))

    def in_flight(self) -> bool:
        """Do descriptors travel in a socket that somebody outside holds?"""
        return any(
            _travelling(pid, fd)
            for link, holders in self.links.items()
            if link.startswith(b"socket:[")
            for pid, fd in holders[:1]
        )


def _lives(pid: int) -> bool:
    """Neither a zombie nor a kernel thread: those hold nothing."""
    try:
        stat = proc.read_stat(pid)
    except (Vanished, PermissionError):
        return False
    return stat.state not in "ZX" and not stat.kernel_thread


def _travelling(pid: int, fd: int) -> bool:
    try:
        return carries(proc.parse_fdinfo(proc.read(b"/proc/%d/fdinfo/%d" % (pid, fd))))
    except (Vanished, OSError):
        return False


def carries(info: proc.FdInfo | None) -> bool:
    """Are descriptors in flight in this socket (its fdinfo's `scm_fds`)?"""
    lines = info.more if info is not None else ()
    return any(line.startswith(b"scm_fds:") and line.split(b":")[1].strip() != b"0" for line in lines)


class Outside:
    """Answers for one look, from a scan that may be up to a second old."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._in_flight: bool | None = None
        self.fresh = False
        """Scan anew, and look for descriptors in flight everywhere."""
        self._scan: Scan | None = None

    def scan(self) -> Scan:
        """The last scan, or a new one when that is too old or of another picture."""
        if self._scan is None:
            if not self.is_known():
                self._look.recall.scan = Scan(frozenset(self._look.seen))
            self._scan = self._look.recall.scan
        return self._scan

    def is_known(self) -> bool:
        """Will this look go by the scan of the last one?"""
        last: Scan | None = self._look.recall.scan
        return (
            last is not None
            and not (self.fresh or last.is_old())
            and last.inside == frozenset(self._look.seen)
        )

    def holders(self, link: bytes) -> list[tuple[int, int]]:
        """(pid, fd) of everybody outside who has something of this name: `pipe:[123]`."""
        return self.scan().links.get(link, [])

    def others(self, link: bytes, made_inside: bool) -> bool | None:
        """Does somebody outside hold this too? `made_inside`: all its sides are in the picture."""
        return True if self.holders(link) else self.proven(made_inside)

    def others_of_file(self, identity: Hashable, made_inside: bool) -> bool | None:
        """The same for what has a path: `identity` is (device, inode)."""
        return True if identity in self.scan().files() else self.proven(made_inside)

    def proven(self, made_inside: bool) -> bool | None:
        """False when nobody outside can have what nobody outside was seen to have; else None."""
        scan = self.scan()
        hidden = scan.hidden or not rights.sees_all_processes() or self._hidden_inside()
        if self.in_flight() or (hidden and not made_inside):
            return None
        return False

    def _hidden_inside(self) -> bool:
        return any(rows is None for rows in self._look.held.values())

    def in_flight(self) -> bool:
        """May a descriptor be travelling in a socket?"""
        if self._in_flight is None:
            rows = [row for table in self._look.held.values() for row in table or ()]
            sockets = [row for row in rows if row.link.startswith(b"socket:[")]
            self._in_flight = any(carries(row.info) for row in sockets) or (
                bool(sockets) and self.fresh and self.scan().in_flight()
            )
        return self._in_flight
