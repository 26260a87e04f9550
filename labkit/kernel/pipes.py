"""How much is in a pipe, what it is, and who is gone from it, through a copied descriptor.

Some facts about pipes (pipe(7)):

- A pipe is a ring of page slots (16 at first: 65,536 bytes). A write that does not fit behind the
  last page's bytes takes a new slot, so many writes of odd sizes fill the ring with fewer bytes than
  its capacity: 61,813 of 65,536 is a full pipe. `O_DIRECT` ("packet") pipes never share a slot, and a
  read ends where a packet ends: in the pipe that `tee` copied them into, too.
- FIONREAD counts the bytes queued, on either end. F_GETPIPE_SZ is the capacity, on either end.
- `tee` into another pipe copies references to the pages: nothing is consumed, nobody is woken. It
  needs a descriptor open for reading, and one for writing on another pipe.
- poll on a read end says POLLHUP when no descriptor for writing is open anywhere in the system, on a
  write end POLLERR when none for reading is: in flight in sockets or in another container counts as
  open. Our own copy counts as open too, but only on its own side.
- A FIFO is the same ring; opening it by a path (also /proc/PID/fd/N) makes a *new* open file
  description, and opening for reading wakes whoever waits in open for a reader.

- FIONREAD, F_GETPIPE_SZ, tee and the opening of a FIFO wait for the pipe's lock, and not even SIGKILL
  ends that. splice(2) and sendfile(2) into a pipe hold the lock while they wait for their source: a silent
  socket, a terminal; and each call does while it waits for a page of its memory that userfaultfd(2) brings.
  (poll asks for no lock; waiting for bytes or room in the pipe gives it up.)

What follows for us: who could hold the lock is looked at first (`labkit/look/locked.py`). Levels come
from a copy of the *write* end, which harms no blocked reader: its end-of-file is late by the few
microseconds the copy lives. A read end is copied only to show bytes that are there. While a copied read
end is held, a write that should get EPIPE succeeds; while a copied write end is held, a non-blocking read
gets EAGAIN where it should get the end. So: one copy at a time, released at once.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
from typing import NamedTuple

from labkit.kernel import syscalls

F_GETPIPE_SZ = 1032
HEAD_BYTES = 64


class Levels(NamedTuple):
    queued: int
    capacity: int
    writing: bool
    """Taken from a write end."""
    other_side_gone: bool
    """Proven by the kernel: no descriptor of the other side is open anywhere."""
    full: bool
    """No slot is left; only a write end knows."""


_CAN_WRITE = select.POLLOUT
_GONE = select.POLLHUP | select.POLLERR


def levels(copy: int, writing: bool) -> Levels:
    """What one end of a pipe, ours or copied, tells about the pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(copy, termios.FIONREAD, count)
    poll = select.poll()
    poll.register(copy, _CAN_WRITE if writing else 0)
    events = sum(bits for _, bits in poll.poll(0))
    full = writing and not events & (_CAN_WRITE | _GONE)
    return Levels(count[0], fcntl.fcntl(copy, F_GETPIPE_SZ), writing, bool(events & _GONE), full)


def opened_again(path: bytes, writing: bool) -> int:
    """Another description of an end that somebody has open; `path` is his /proc/PID/fd/N.

    In the same direction as his, so that nobody can be waiting in `open` for just this.
    """
    mode = os.O_WRONLY if writing else os.O_RDONLY
    return os.open(path, mode | os.O_NONBLOCK | os.O_CLOEXEC)


class Scratch:
    """A pipe of our own that `tee` copies into; one for many peeks."""

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._ends or ():
            os.close(fd)

    def head(self, copy: int, size: int = HEAD_BYTES) -> bytes:
        """The next bytes of a pipe, through a copied read end; none of them is taken."""
        if self._ends is None:
            self._ends = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        read, write = self._ends
        try:
            count = syscalls.tee(copy, write, size)
        except BlockingIOError:
            return b""
        first = os.read(read, count) if count else b""
        self._empty(count - len(first))
        return first

    def _empty(self, left: int) -> None:
        """Take out the packets behind the first, which a read never crosses: they are not the next pipe's."""
        assert self._ends is not None
        while left > 0:
            left -= len(os.read(self._ends[0], left))
