"""Unix sockets in the judge's hands: pairs to give away, and a caller at an answer's own door.

Some facts about Unix sockets:

- A socket file is found through any path that leads to it, also through `/proc/self/fd/N` of an O_PATH
  descriptor; neither another mount namespace nor another network namespace stands in between.
- `connect` to a full line waits; with O_NONBLOCK it is EAGAIN. A name without a listener is ECONNREFUSED,
  one of another type EPROTOTYPE.
- O_NONBLOCK belongs to the open file description, and a socket cannot be opened anew as a pipe can:
  MSG_DONTWAIT asks for one call only.
- SIOCOUTQ tells what the other end has not yet received.

What follows for us: an answer's door is found by a path that follows none of the answer's links, and
what we share with an answer is never made non-blocking.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import termios
from typing import TYPE_CHECKING, Any

from labkit.exercises import fail
from labkit.judge.cage import ANSWER
from labkit.judge.ends import End

if TYPE_CHECKING:
    from labkit.judge.answers import Answer
    from labkit.judge.running import Running

_MISSING = {
    errno.ENOENT: "there is no such name",
    errno.ECONNREFUSED: "nobody listens there",
}
_NOT_YET = (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)


class SocketEnd(End):
    """One end of a conversation, used like an end of a pipe that goes both ways."""

    def __init__(self, answer: Answer, own: socket.socket) -> None:
        self.socket = own
        super().__init__(answer, own.fileno(), os.O_RDWR)

    def ready(self) -> bool:
        """True when something has come, or the end."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def unread(self) -> int:
        """Above 0 while the other side has not received all we sent."""
        buffer = fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4)
        return int(struct.unpack("i", buffer)[0])

    def wait_empty(self) -> None:
        """Wait until the answer has received everything we sent, or has ended."""
        self._answer.wait(lambda: not self.unread() or self._answer.ended, every=0.001)

    def send(self, message: bytes) -> None:
        """One message, which may be empty; nothing happens when the other side is gone."""
        with contextlib.suppress(OSError):
            self.socket.send(message, socket.MSG_NOSIGNAL)

    def is_over(self) -> bool:
        """True when the other side has said that nothing more will come, or is gone."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def finish(self) -> None:
        """Say that nothing more will come from us."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self in self._answer._ends:
            self._answer._ends.remove(self)
            self.socket.close()

    def _make_own(self) -> None:
        """Nothing to do: every call of ours says MSG_DONTWAIT."""

    def _read(self, most: int) -> bytes | None:
        try:
            return self.socket.recv(most, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""  # the other side left before it received everything

    def _write(self, rest: Any, sent: list[int]) -> None:
        if not sent:
            try:
                sent.append(self.socket.send(rest, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL))
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                sent.append(0)


def pair(answer: Answer, kind: int = socket.SOCK_STREAM) -> tuple[SocketEnd, SocketEnd]:
    """Two joined sockets: one to use, one to give away."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    return SocketEnd(answer, ours), SocketEnd(answer, theirs)


def call(answer: Answer, running: Running, name: str, kind: int = socket.SOCK_STREAM) -> SocketEnd:
    """Wait until an answer listens at a name in its folder, and be its client."""
    end = _client(answer, kind)
    answer.wait(lambda: running.ended or _is_in_line(end, running, name, kind), every=0.002)
    if running.ended:
        running.check()
        fail(f"`{running.name}` came back before anybody could call.", running.printed())
    return end


def call_at_once(answer: Answer, name: str, kind: int = socket.SOCK_STREAM) -> SocketEnd | None:
    """Be the client of an answer that listens; None when there is no room in its line now."""
    end = _client(answer, kind)
    if _connect(answer, end.socket, name):
        end.close()
        return None
    return end


def _client(answer: Answer, kind: int) -> SocketEnd:
    own = socket.socket(socket.AF_UNIX, kind)
    own.setblocking(False)
    return SocketEnd(answer, own)


def _is_in_line(end: SocketEnd, running: Running, name: str, kind: int) -> bool:
    """Try once more to connect; fails when that is of no use."""
    error = _connect(running.answer, end.socket, name)
    if error == errno.EPROTOTYPE:
        fail(f"At `{name}` is a socket of another type than {socket.SocketKind(kind).name}.")
    if error and error not in _NOT_YET:
        fail(f"Calling at `{name}` failed: {os.strerror(error)}.")
    if error in _MISSING and running.sleeps_for_good():
        error = _connect(running.answer, end.socket, name)  # it may have begun just before it slept
        if error in _MISSING:
            fail(f"`{running.name}` waits, but not for callers at `{name}`: {_MISSING[error]}.")
    return not error


def _connect(answer: Answer, own: socket.socket, name: str) -> int:
    door = answer._cage.folders.hold(ANSWER, name)
    if door is None:
        return errno.ENOENT
    try:
        return own.connect_ex(f"/proc/self/fd/{door}")
    finally:
        os.close(door)
