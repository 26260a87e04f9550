"""What /proc says about a process, parsed.

Some facts about /proc (proc(5)):

- `stat` is one line, but its second field is the program's name in brackets, and a program may call
  itself `a) R 1`: the name ends at the *last* `)`. Names and paths are bytes, not text.
- A file of /proc is made when it is first read: one `read` big enough gets a consistent whole.
- A process may vanish between any two lines: `open` then says ENOENT, `read` ESRCH.
- A directory descriptor of /proc/PID stands for that process: when the number is used again by
  another process, it says ESRCH and never shows the newcomer.
- `task/TID/syscall` (a right to ptrace is needed) is `running`, or the call's number, its six
  arguments, stack and instruction pointer; `-1 …` when asleep outside any call.
- `task/TID/children` (with CONFIG_PROC_CHILDREN) lists the children that this *thread* made, oldest
  first. It may pass over some while children come and go; a second look sees them.
- `fdinfo/N` has `pos`, `flags` (octal, with O_CLOEXEC since 3.1), `mnt_id`, `ino` (since 5.14), then
  lines of the object's own: `tfd`, `eventfd-count`, `sigmask`, `lock`, `scm_fds`.
- `stat` field 52, `exit_code`, is shown to those who may ptrace; for a zombie always by its parent's
  `wait` first. The value is the one `wait` gives.
- `status` has the lines `NSpid` and `NSpgid` (since 4.1): the numbers of a process and of its group in
  every PID namespace from that of the /proc mount down to its own. A pid among the arguments of a call
  is a number in the *caller's* namespace.
- `exe`, `fd`, `maps`, `syscall` of another user's process say EACCES or EPERM.

What follows for us: `parse_*` functions are pure and never fail on what a kernel can write;
`read_*` functions do the reading, in one `read`, as bytes. One place, `read`, turns "it is gone" into
`Vanished`; a refusal stays a PermissionError for the caller to put into words.
"""

from __future__ import annotations

import errno
import functools
import os
from typing import NamedTuple

from labkit.errors import Vanished

_GONE = (errno.ENOENT, errno.ESRCH)
_REFUSED = (errno.EACCES, errno.EPERM)


def read(path: bytes, whole: bool = False) -> bytes:
    """A file of /proc. Vanished when the process is gone, PermissionError when refused.

    `whole` for files of many records, which the kernel hands out by the page.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise translated(error, path) from None
    try:
        data = os.read(fd, 4096)
        if len(data) > 2048 or whole:
            parts = [data]
            while parts[-1]:
                parts.append(os.read(fd, 65536))
            data = b"".join(parts)
        return data
    except OSError as error:
        raise translated(error, path) from None
    finally:
        os.close(fd)


def translated(error: OSError, path: bytes) -> Exception:
    """The error as the rest of labkit knows it."""
    if error.errno in _GONE:
        return Vanished(f"{os.fsdecode(path)} is gone.")
    if error.errno in _REFUSED:
        return PermissionError(error.errno, os.strerror(error.errno), os.fsdecode(path))
    return error


# --- stat -------------------------------------------------------------------------------------------


class Stat(NamedTuple):
    """The fields of `stat` that labkit uses."""

    pid: int
    command: bytes
    state: str
    """One letter, as the kernel writes it: R S D T t Z X I."""
    ppid: int
    pgrp: int
    session: int
    flags: int
    threads: int
    start: int
    """Clock ticks after boot; with the pid it names a process for ever."""
    exit_code: int | None
    """As `wait` gives it; None when not shown."""
    processor: int
    """The one it ran on last."""

    @property
    def kernel_thread(self) -> bool:
        """True for the kernel's own threads (PF_KTHREAD)."""
        return bool(self.flags & 0x00200000)


def parse_stat(line: bytes) -> Stat:
    """`/proc/PID/stat`; ValueError when it is none."""
    open_, close = line.find(b"("), line.rfind(b")")
    if open_ < 0 or close < open_:
        raise ValueError(f"not a stat line: {line!r:.60}")
    rest = line[close + 2 :].split()
    if len(rest) < 20:
        raise ValueError(f"not a stat line: {line!r:.60}")
    return Stat(
        int(line[:open_]),
        line[open_ + 1 : close],
        rest[0].decode("ascii", "replace"),
        int(rest[1]),
        int(rest[2]),
        int(rest[3]),
        int(rest[6]),
        int(rest[17]),
        int(rest[19]),
        int(rest[49]) if len(rest) > 49 else None,
        int(rest[36]) if len(rest) > 36 else 0,
    )


def read_stat(pid: int) -> Stat:
    """What `stat` says now; Vanished when there is no such process."""
    return parse_stat(read(b"/proc/%d/stat" % pid))


# --- status -----------------------------------------------------------------------------------------


class Status(NamedTuple):
    """Signal sets (bit n-1 is signal n), owner, and the process that a thread belongs to."""

    uid: int | None
    leader: int | None
    pending: int
    blocked: int
    ignored: int
    caught: int


def parse_status(text: bytes) -> Status:
    """`/proc/PID/status` (or a thread's)."""

    def field(name: bytes) -> list[bytes]:
        start = text.find(b"\n" + name + b":") + 1
        return text[start : text.find(b"\n", start)].split()[1:] if start else []

    def mask(name: bytes) -> int:
        words = field(name)
        return int(words[0], 16) if words else 0

    uid, leader = field(b"Uid"), field(b"Tgid")
    return Status(
        int(uid[1]) if len(uid) > 1 else None,
        int(leader[0]) if leader else None,
        mask(b"SigPnd") | mask(b"ShdPnd"),
        mask(b"SigBlk"),
        mask(b"SigIgn"),
        mask(b"SigCgt"),
    )


def parse_numbers(text: bytes, name: bytes) -> tuple[int, ...]:
    """A line such as `NSpid` of `/proc/PID/status`: a number for each PID namespace, ours first."""
    start = text.find(b"\n" + name + b":") + 1
    return tuple(int(word) for word in text[start : text.find(b"\n", start)].split()[1:]) if start else ()


def read_leader(pid: int) -> int:
    """The process that this number belongs to: of a thread another, of a process its own."""
    try:
        leader = parse_status(read(b"/proc/%d/status" % pid)).leader
    except (Vanished, PermissionError):
        return pid
    return pid if leader is None else leader


# --- did it run meanwhile ---------------------------------------------------------------------------

_schedule_file: list[bytes] = []


def schedule_file() -> bytes:
    """The file of a thread whose text changes whenever it has run."""
    if not _schedule_file:
        _schedule_file.append(_best_schedule_file())
    return _schedule_file[0]


def read_schedule(base: bytes) -> bytes:
    """A text that changes whenever the thread has run: `base` is its /proc directory, with a slash."""
    return read(base + schedule_file())


def _best_schedule_file() -> bytes:
    """`schedstat`; where the kernel was built without it, `status`, which counts the switches too."""
    try:
        counted = read(b"/proc/self/schedstat").split()
    except Vanished:
        return b"status"
    return b"schedstat" if len(counted) == 3 and int(counted[2]) > 0 else b"status"


# --- a blocked call ---------------------------------------------------------------------------------


class Syscall(NamedTuple):
    number: int
    arguments: tuple[int, ...]


def parse_syscall(text: bytes) -> Syscall | None:
    """`/proc/PID/task/TID/syscall`: the call it sleeps in; None when it runs or is in none.

    None also for a 32-bit program (stack and code below 4 GiB): its calls have other numbers.
    """
    words = text.split()
    if len(words) < 9:
        return None
    number, *rest = int(words[0]), *(int(word, 16) for word in words[1:9])
    if number < 0 or (rest[6] >> 32 == 0 and rest[7] >> 32 == 0):
        return None
    return Syscall(number, tuple(rest[:6]))


# --- descriptors ------------------------------------------------------------------------------------


class FdInfo(NamedTuple):
    offset: int | None
    flags: int | None
    mount: int | None
    inode: int | None
    more: tuple[bytes, ...]
    """The object's own lines: `tfd: …`, `eventfd-count: …`, `lock: …`."""


_COMMON = (b"pos", b"flags", b"mnt_id", b"ino")


def parse_fdinfo(text: bytes) -> FdInfo:
    """`/proc/PID/fdinfo/N`."""
    found: dict[bytes, bytes] = {}
    more = []
    for line in text.split(b"\n"):
        name, colon, value = line.partition(b":")
        if name in _COMMON and colon:
            found.setdefault(name, value.strip())
        elif line:
            more.append(line)
    offset, flags, mount, inode = (found.get(name) for name in _COMMON)
    return FdInfo(_number(offset), _number(flags, 8), _number(mount), _number(inode), tuple(more))


def _number(word: bytes | None, base: int = 10) -> int | None:
    try:
        return int(word, base) if word is not None else None
    except ValueError:
        return None


# --- memory -----------------------------------------------------------------------------------------


class Map(NamedTuple):
    """One line of `maps`."""

    start: int
    end: int
    prot: str
    """`rw-`, without the sharing letter."""
    shared: bool
    offset: int
    device: int
    inode: int
    path: bytes
    """As the kernel writes it: newlines as `\\012`, ` (deleted)` at the end of unlinked ones."""


def parse_maps(text: bytes) -> list[Map]:
    """`/proc/PID/maps`."""
    return [parse_map(line) for line in text.split(b"\n") if line]


@functools.lru_cache(20_000)  # forked processes have nearly all lines in common
def parse_map(line: bytes) -> Map:
    """One line of it."""
    words = line.split(None, 5)
    start, end = words[0].split(b"-")
    major, minor = words[3].split(b":")
    prot = words[1].decode("ascii", "replace")
    return Map(
        int(start, 16),
        int(end, 16),
        prot[:3],
        prot[3:] == "s",
        int(words[2], 16),
        os.makedev(int(major, 16), int(minor, 16)),
        int(words[4]),
        words[5] if len(words) > 5 else b"",
    )


# --- who made whom ----------------------------------------------------------------------------------


def parse_children(text: bytes) -> tuple[int, ...]:
    """`/proc/PID/task/TID/children`."""
    return tuple(int(word) for word in text.split())


_shows_children: list[bool] = []


def shows_children() -> bool:
    """Has this kernel `task/TID/children` (CONFIG_PROC_CHILDREN)?"""
    if not _shows_children:
        _shows_children.append(os.path.exists(b"/proc/thread-self/children"))
    return _shows_children[0]


def numbers_in(directory: bytes) -> list[int]:
    """The entries of a /proc directory that are numbers, in order; Vanished when it is gone."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if name.isdigit())
    except OSError as error:
        raise translated(error, directory) from None
