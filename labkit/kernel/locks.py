"""File locks: flock, POSIX record locks, and open file description (OFD) locks.

Some facts (flock(2), fcntl_locking(2), proc_locks(5); checked on Linux 6.18):

- A flock or OFD lock belongs to an open file description: everybody who has that (after fork, dup, or
  passing it) holds the lock, and the last close, or any one's unlock, gives it up. A POSIX lock belongs
  to a process, and *any* close of that file by it gives it up.
- `fdinfo/N` has a `lock:` line for each lock held through that very description, or (POSIX) by that
  process on that file. So it names the holders exactly. It never shows who waits.
- /proc/locks lists the locks of the system whose pid can be seen from that /proc's PID namespace; lines
  with `->` are those that wait, under the lock that blocks them. The pid of a flock is its maker's, who
  may be gone. An OFD lock has pid -1, held or waited for.
- The file is written as `MAJOR:MINOR:INODE` of its filesystem, which on btrfs and overlayfs need not be
  what stat(2) says. Compare the text with that of a `lock:` line of the same file.
- The end is the last byte, or EOF.
- Leases (`LEASE`, `DELEG`) are in the same list and no locks.

What follows for us: holders come from the descriptors of the picture, waiters from /proc/locks, which is
read only when there is a lock in the picture or somebody blocked on one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc

F_SETLKW, F_OFD_SETLKW = 7, 38
LOCK_SH, LOCK_EX = 1, 2
F_RDLCK, F_WRLCK = 0, 1


class LockFacts(NamedTuple):
    """One lock, held or waited for."""

    type: str
    """`flock`, `posix` or `ofd`."""
    mode: str
    """`read` or `write`."""
    pid: int | None
    """Its maker's, or who waits; None when the kernel does not say (OFD)."""
    file: bytes
    """`fe:00:1234`: device and inode as the kernel writes them."""
    start: int
    end: int | None
    """Last byte; None: to the end of the file."""

    def overlaps(self, other: LockFacts) -> bool:
        """True when they are of the same file and have a byte in common."""
        return (
            self.file == other.file
            and (other.end is None or self.start <= other.end)
            and (self.end is None or other.start <= self.end)
        )


class Listed(NamedTuple):
    """A lock of /proc/locks, with those that wait for it."""

    lock: LockFacts
    waiting: tuple[LockFacts, ...]


_LINE = re.compile(
    rb"(\d+):\s+(->\s+)?(FLOCK|POSIX|OFDLCK)\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+(\S+)\s+(\d+)\s+(\d+|EOF)"
)
_TYPES = {b"FLOCK": "flock", b"POSIX": "posix", b"OFDLCK": "ofd"}


def parse_held(lines: Iterable[bytes]) -> list[LockFacts]:
    """The `lock:` lines of fdinfo."""
    return [_facts(match) for line in lines if line.startswith(b"lock:") and (match := _LINE.search(line))]


def parse_locks(text: bytes) -> list[Listed]:
    """/proc/locks."""
    found: list[tuple[LockFacts, list[LockFacts]]] = []
    for match in _LINE.finditer(text):
        if not match[2]:
            found.append((_facts(match), []))
        elif found:
            found[-1][1].append(_facts(match))
    return [Listed(lock, tuple(waiting)) for lock, waiting in found]


def read_locks() -> list[Listed]:
    """The locks that our /proc shows now."""
    try:
        return parse_locks(proc.read(b"/proc/locks", whole=True))
    except (Vanished, OSError):
        return []


def _facts(match: re.Match[bytes]) -> LockFacts:
    pid = int(match[5])
    return LockFacts(
        _TYPES[match[3]],
        match[4].decode().lower(),
        pid if pid > 0 else None,
        match[6],
        int(match[7]),
        None if match[8] == b"EOF" else int(match[8]),
    )


class Request(NamedTuple):
    """What a blocked fcntl asks for, relative to where `whence` says."""

    mode: str
    whence: int
    start: int
    length: int


def parse_flock(data: bytes) -> Request | None:
    """A `struct flock` of a 64-bit machine, from the memory of the process that waits."""
    if len(data) < 24:
        return None
    type_, whence, start, length = struct.unpack_from("=hh4xqq", data)
    mode = {F_RDLCK: "read", F_WRLCK: "write"}.get(type_)
    return Request(mode, whence, start, length) if mode else None


class Wish(NamedTuple):
    """A lock that somebody waits for."""

    type: str
    mode: str
    start: int
    end: int | None


def wished(request: Request, type: str, offset: int, size: int) -> Wish:
    """First and last byte asked for, given the description's offset and the file's size."""
    base = {0: 0, 1: offset, 2: size}.get(request.whence, 0) + request.start
    if request.length == 0:
        return Wish(type, request.mode, max(base, 0), None)
    first, last = sorted((base, base + request.length))
    return Wish(type, request.mode, max(first, 0), last - 1)
