"""What is in the bytes that eventfds, timerfds, signalfds and the like carry, and what is no text at all.

Some facts (eventfd(2), timerfd_create(2), signalfd(2), inotify(7), sem_overview(7)):

- An eventfd takes and gives one number of 8 bytes; a timerfd gives how often its time was over.
- A signalfd gives a `struct signalfd_siginfo` of 128 bytes for each signal: its number, at 12 who sent it.
- An inotify gives a `struct inotify_event` of 16 bytes for each event, and after it the name, filled up with
  zeros.
- What glibc writes into the file of a new semaphore is a `sem_t`, 32 bytes: the value comes first.

What follows for us: what a read or a write carries is told by where its descriptor leads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from labkit.kernel import flags
from labkit.words import count, signal_name


def carried(leads: str, data: bytes, size: int, process: Callable[[int], str]) -> str | None:
    """What these bytes say, read from or written to where a descriptor leads; None: they are just bytes."""
    if leads == "anon_inode:[eventfd]" and len(data) >= 8:
        return f"the number {int.from_bytes(data[:8], 'little')}"
    if leads == "anon_inode:[timerfd]" and len(data) >= 8:
        return count(int.from_bytes(data[:8], "little"), "expiration")
    if leads == "anon_inode:[signalfd]":
        return ", ".join(_signals(data, process)) or None
    if leads == "anon_inode:inotify":
        return ", ".join(_events(data)) or None
    if leads in ("/dev/urandom", "/dev/random"):
        return "random"
    if leads.startswith("/dev/shm/sem.") and size == 32 and len(data) >= 4:
        return f"a semaphore with value {int.from_bytes(data[:4], 'little')}"
    return None


def _signals(data: bytes, process: Callable[[int], str]) -> list[str]:
    found = []
    for at in range(0, len(data) - 127, 128):
        number, _, code, sender = struct.unpack_from("=IiiI", data, at)
        found.append(signal_name(number) + (f" from {process(sender)}" if code <= 0 and sender else ""))
    return found


def _events(data: bytes) -> list[str]:
    found = []
    while len(data) >= 16:
        mask, length = struct.unpack_from("=4xI4xI", data)
        name = data[16 : 16 + length].rstrip(b"\0").decode("utf-8", "backslashreplace")
        found.append(flags.names(mask, flags.INOTIFY) + (f' "{name}"' if name else ""))
        data = data[16 + length :]
    return found
