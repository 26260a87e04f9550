"""Bytes and strings in another process's memory.

Some facts about process_vm_readv (process_vm_readv(2), Linux 3.2):

- It copies from another process without stopping it; one needs the right to trace it.
- It reads up to the first page that is not there, and says how much that was.
- /proc/PID/mem (proc_pid_mem(5)) shows the same to a reader who may trace. Once open, a read of it costs
  a quarter; but it stays with the memory it was opened for: after execve it is a file of nothing.

What follows for us: a string is read page by page, since its end is not known, and what cannot be read
comes back shorter, or empty: the caller shows the address instead. Whoever follows a process from execve
to execve may have its memory kept open meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from labkit.kernel.syscalls import process_vm_readv

_HALF = 1 << 63
"""An offset in a file has a sign; no process has memory up there."""
_PAGE = os.sysconf("SC_PAGESIZE")
_kept: dict[int, int] = {}
"""Open files of the memory of some processes, by pid."""


def keep_open(pid: int) -> None:
    """Keep a process's memory open until `close`; to be asked for anew when it executes a program."""
    close(pid)
    with contextlib.suppress(OSError):  # then it is read without a file
        _kept[pid] = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)


def close(pid: int) -> None:
    """Keep a process's memory open no longer."""
    if pid in _kept:
        os.close(_kept.pop(pid))


def content(pid: int, address: int, size: int) -> bytes:
    """Up to `size` bytes at `address`; fewer where the memory ends, none where there is none."""
    if not address or size <= 0:
        return b""
    try:
        if pid in _kept and address < _HALF:
            return os.pread(_kept[pid], size, address)
        return process_vm_readv(pid, address, size)
    except OSError:
        return b""


def c_string(pid: int, address: int, most: int = 4096) -> bytes:
    """The bytes from `address` up to a zero."""
    found = b""
    while len(found) < most:
        part = content(pid, address, _PAGE - address % _PAGE)
        before, end, _ = part.partition(b"\0")
        found += before
        if end or not part:
            break
        address += len(part)
    return found


def string(pid: int, address: int) -> str:
    """The text from `address` up to a zero, as a path would be decoded."""
    return os.fsdecode(c_string(pid, address))


def words(pid: int, address: int, count: int, size: int = 8) -> list[int]:
    """`count` unsigned integers of `size` bytes each."""
    data = content(pid, address, count * size)
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


@dataclass(frozen=True, slots=True)
class Region:
    """A line of /proc/PID/maps: a range of memory and the file behind it."""

    start: int
    end: int
    offset: int
    inode: int
    path: str


def mapping(pid: int, address: int) -> Region | None:
    """The region of a process's memory that holds `address`."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="backslashreplace") as file:
            for line in file:
                start, _, end = line.split(" ", 1)[0].partition("-")
                if int(start, 16) <= address < int(end, 16):
                    _, _, offset, _, inode, *path = line.split(maxsplit=5)
                    name = path[0].rstrip("\n") if path else ""
                    return Region(int(start, 16), int(end, 16), int(offset, 16), int(inode), name)
    except OSError:
        return None
    return None
