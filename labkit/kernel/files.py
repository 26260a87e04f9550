"""eventfd, epoll, signalfd, timerfd: what fdinfo says of each.

Some facts (proc_pid_fdinfo(5), epoll(7); checked on Linux 6.18):

- All of them are open on one inode that they share; the descriptor's link tells the kind
  (`anon_inode:[eventfd]`), and only kcmp tells one from another. An eventfd also has `eventfd-id` (since
  5.2), a number no other living eventfd has.
- `eventfd-count` is hexadecimal. Reading it from fdinfo resets nothing.
- An epoll's `tfd` lines: the number the descriptor had *in the process that added it*, the events as a
  hexadecimal mask, the user's data, and inode and device (as the kernel packs it: minor in the low 20
  bits) of the file. A descriptor closed there but open elsewhere is still watched, under its old number.
- The lines of an inotify and a fanotify name inode and device of what they watch, packed likewise.
- `sigmask` is hexadecimal: bit n-1 is signal n.
- A timerfd's `ticks` are expirations not read yet; `it_value` is the time left: (0, 0) when it is not armed.

What follows for us: one parser for each, from the lines that are the object's own.
"""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Iterable
from typing import NamedTuple


class Watched(NamedTuple):
    """One descriptor in an epoll's interest list."""

    fd: int
    events: int
    inode: int
    device: int


class Eventfd(NamedTuple):
    """The counter, and what tells it from other eventfds."""

    value: int
    id: int | None
    semaphore: bool
    """EFD_SEMAPHORE: a read takes one, not all."""


class Timer(NamedTuple):
    """A timerfd's clock and times."""

    clock: int
    ticks: int
    remaining_ns: int
    """0: not armed."""
    interval_ns: int


_TFD = re.compile(rb"tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)(?:.*?ino:([0-9a-f]+)\s+sdev:([0-9a-f]+))?")
_TFD_DATA = re.compile(rb"tfd:\s*(\d+).*?data:\s*([0-9a-f]+)")
_SDEV = re.compile(rb"^(?:inotify|fanotify) .*\bsdev:([0-9a-f]+)")
_PAIR = re.compile(rb"\((\d+), (\d+)\)")

CLOCKS = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 7: "CLOCK_BOOTTIME", 8: "CLOCK_REALTIME_ALARM",
          9: "CLOCK_BOOTTIME_ALARM"}  # fmt: skip


def parse_epoll(lines: Iterable[bytes]) -> tuple[Watched, ...]:
    """What an epoll watches, in the order of descriptor numbers."""
    found = []
    for match in filter(None, map(_TFD.match, lines)):
        fd, events, inode, device = match.groups()
        found.append(Watched(int(fd), int(events, 16), int(inode or b"0", 16), _device(device or b"0")))
    return tuple(sorted(found))


def watched_devices(lines: Iterable[bytes]) -> list[int]:
    """The devices of what an inotify or a fanotify watches."""
    return [_device(match[1]) for match in filter(None, map(_SDEV.search, lines))]


def _device(packed: bytes) -> int:
    number = int(packed, 16)
    return os.makedev(number >> 20, number & 0xFFFFF)


def parse_epoll_data(lines: Iterable[bytes]) -> dict[int, list[int]]:
    """By what an epoll will tell of them (the user's data): the descriptors it watches."""
    found: dict[int, list[int]] = {}
    for fd, data in (match.groups() for match in filter(None, map(_TFD_DATA.match, lines))):
        found.setdefault(int(data, 16), []).append(int(fd))
    return found


def event_words(events: int) -> str:
    """`readable`, `writable`, `readable writable`, or what else is waited for."""
    words = []
    if events & (select.EPOLLIN | select.EPOLLRDNORM):
        words.append("readable")
    if events & (select.EPOLLOUT | select.EPOLLWRNORM):
        words.append("writable")
    if events & select.EPOLLPRI:
        words.append("urgent")
    return " ".join(words)


def event_notes(events: int) -> list[str]:
    """How an epoll tells of this descriptor, where it is not the usual way."""
    notes = []
    if events & select.EPOLLET & 0xFFFFFFFF:
        notes.append("edge-triggered: told once for each change")
    if events & select.EPOLLONESHOT:
        notes.append("one-shot: told once, then no more until it is set again")
    if events & (1 << 28):
        notes.append("exclusive: not every waiter is woken")
    return notes


def parse_eventfd(lines: Iterable[bytes]) -> Eventfd | None:
    """An eventfd's own lines of fdinfo."""
    fields = _fields(lines)
    if b"eventfd-count" not in fields:
        return None
    id = fields.get(b"eventfd-id")
    return Eventfd(
        int(fields[b"eventfd-count"], 16),
        int(id) if id is not None else None,
        fields.get(b"eventfd-semaphore") == b"1",
    )


def parse_signalfd(lines: Iterable[bytes]) -> tuple[str, ...] | None:
    """The signals that a signalfd takes, by name."""
    mask = _fields(lines).get(b"sigmask")
    if mask is None:
        return None
    bits = int(mask, 16)
    return tuple(signal_name(n) for n in range(1, 65) if bits >> (n - 1) & 1)


def signal_name(n: int) -> str:
    """`SIGUSR1`, `SIGRTMIN+3`."""
    try:
        return signal.Signals(n).name
    except ValueError:
        offset = n - signal.SIGRTMIN
        return f"SIGRTMIN+{offset}" if offset > 0 else f"signal {n}"


def parse_timerfd(lines: Iterable[bytes]) -> Timer | None:
    """A timerfd's own lines of fdinfo."""
    fields = _fields(lines)
    if b"it_value" not in fields:
        return None
    return Timer(
        int(fields.get(b"clockid", b"0")),
        int(fields.get(b"ticks", b"0")),
        _nanoseconds(fields[b"it_value"]),
        _nanoseconds(fields.get(b"it_interval", b"")),
    )


def _nanoseconds(pair: bytes) -> int:
    match = _PAIR.search(pair)
    return int(match[1]) * 1_000_000_000 + int(match[2]) if match else 0


def _fields(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    return {name: value.strip() for name, colon, value in (line.partition(b":") for line in lines) if colon}
