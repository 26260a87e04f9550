"""What every process outside the picture holds open.

Reading all tables of a machine costs a millisecond or more. A process of one thread that has not run
since its table was read (its `schedstat` says so) still has the same table, and is not read again: most
of a machine sleeps.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel.fstatus import status

KEPT_NS = 1_000_000_000
Holder = tuple[int, int]
"""(pid, fd)."""


class _Table(NamedTuple):
    schedule: bytes
    alone: bool
    """It had one thread (and is not we, who run), so that its `schedule` tells of all it did."""
    links: tuple[tuple[bytes, int], ...]
    hidden: bool
    """It would not show what it holds."""


class Scan:
    """Who outside the picture holds what, at one time."""

    def __init__(self, inside: frozenset[int], tables: dict[int, _Table]) -> None:
        self.inside = inside
        self.tables = tables
        self.taken_ns = self.checked_ns = time.monotonic_ns()
        self.hidden = any(table.hidden for table in tables.values())
        """Somebody would not show what it holds."""
        self.links: dict[bytes, list[Holder]] = {}
        """Link -> everybody outside who has it."""
        for pid, table in tables.items():
            for link, fd in table.links:
                self.links.setdefault(link, []).append((pid, fd))
        self._files: dict[tuple[int, int], list[Holder]] | None = None

    def files(self) -> dict[tuple[int, int], list[Holder]]:
        """(device, inode) -> who has it; only for what has a path, and only when asked."""
        if self._files is None:
            self._files = {}
            for link, holders in self.links.items():
                if link.startswith(b"/"):
                    self._stat(self._files, holders)
        return self._files

    def _stat(self, files: dict[tuple[int, int], list[Holder]], holders: list[Holder]) -> None:
        for holder in holders:
            identity = identity_of(holder)
            if identity is not None:
                files.setdefault(identity, []).append(holder)

    def carriers(self) -> list[bytes]:
        """The links of the outsiders' sockets in which descriptors travel."""
        sockets = [link for link in self.links if link.startswith(b"socket:[")]
        return [link for link in sockets if _travelling(*self.links[link][0])]

    def registered(self) -> bool:
        """Does somebody outside keep descriptors in an io_uring, where no table shows them?"""
        return any(_keeps_files(pid, fd) for pid, fd in self.links.get(b"anon_inode:[io_uring]", ()))


def link_of(holder: Holder) -> bytes | None:
    """The name of what it holds now; None when it holds nothing there any more."""
    try:
        return os.readlink(b"/proc/%d/fd/%d" % holder)
    except OSError:
        return None


def identity_of(holder: Holder) -> tuple[int, int] | None:
    """(device, inode) of what it holds now; None when it holds nothing there any more."""
    try:
        found = status(b"/proc/%d/fd/%d" % holder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def scan(inside: frozenset[int], last: Scan | None) -> Scan:
    """What is so now; `last` itself when nothing has changed since, and it is not too old."""
    known = last.tables if last is not None else {}
    tables = {pid: found for pid in _outside(inside) if (found := _table(pid, known.get(pid))) is not None}
    now = time.monotonic_ns()
    if last is not None and last.inside == inside and now - last.taken_ns < KEPT_NS and _same(tables, known):
        last.tables = tables
        last.checked_ns = now
        return last
    return Scan(inside, tables)


def _outside(inside: frozenset[int]) -> list[int]:
    return [pid for pid in proc.numbers_in(b"/proc") if pid not in inside]


def _same(tables: dict[int, _Table], known: dict[int, _Table]) -> bool:
    return tables is known or (
        {pid: (t.links, t.hidden) for pid, t in tables.items() if t.links or t.hidden}
        == {pid: (t.links, t.hidden) for pid, t in known.items() if t.links or t.hidden}
    )


def _table(pid: int, known: _Table | None) -> _Table | None:
    base = b"/proc/%d/" % pid
    try:
        schedule = proc.read_schedule(base)
        if known is not None and known.alone and known.schedule == schedule:
            return known
        alone = pid != os.getpid() and os.stat(base + b"task").st_nlink == 3
        return _Table(schedule, alone, _links(base + b"fd/"), False)
    except Vanished:
        return None
    except PermissionError:
        return _Table(b"", False, (), hidden=_lives(pid))
    except OSError:  # `stat`: it is gone
        return None


def _links(folder: bytes) -> tuple[tuple[bytes, int], ...]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise proc.translated(error, folder) from None
    found = []
    for name in names:
        try:
            found.append((os.readlink(folder + name), int(name)))
        except OSError:
            continue
    return tuple(found)


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


def _keeps_files(pid: int, fd: int) -> bool:
    try:
        lines = proc.read(b"/proc/%d/fdinfo/%d" % (pid, fd)).splitlines()
    except (Vanished, OSError):
        return False
    return any(line.startswith(b"UserFiles:") and line.split(b":")[1].strip() != b"0" for line in lines)


def carries(info: proc.FdInfo | None) -> bool:
    """Are descriptors in flight in this socket (its fdinfo's `scm_fds`)?"""
    lines = info.more if info is not None else ()
    return any(line.startswith(b"scm_fds:") and line.split(b":")[1].strip() != b"0" for line in lines)
