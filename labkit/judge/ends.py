"""An end of a pipe in the judge's hands."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.judge.answers import Answer


class End:
    """An end of a pipe that the judge holds, to use itself or to give away."""

    def __init__(self, answer: Answer, fd: int, mode: int) -> None:
        self.fd = fd
        self._answer = answer
        self._mode = mode
        self._own = False
        answer._ends.append(self)

    def copy(self) -> End:
        """Another descriptor of the same open file description."""
        return End(self._answer, os.dup(self.fd), self._mode)

    def set_nonblocking(self) -> End:
        """O_NONBLOCK, for everybody who holds this open file description."""
        os.set_blocking(self.fd, False)
        return self

    def read_some(self, most: int = 65536) -> bytes:
        """Wait until there are bytes (or the end), and take up to so many."""
        self._make_own()
        got: list[bytes] = []

        def read() -> None:
            piece = None if got else self._read(most)
            got.extend([] if piece is None else [piece])

        self._use(select.POLLIN, read, lambda: bool(got))
        return got[0]

    def read_all(self) -> bytes:
        """Everything up to the end."""
        return self.read_exactly(None)

    def read_exactly(self, count: int | None) -> bytes:
        """So many bytes, or fewer if the end comes first."""
        data = bytearray()
        while count is None or len(data) < count:
            piece = self.read_some(65536 if count is None else min(65536, count - len(data)))
            if not piece:
                break
            data += piece
        return bytes(data)

    def write(self, data: bytes) -> None:
        """Write all of it, waiting for room; or until nobody can read it any more."""
        self._make_own()
        rest = memoryview(data)
        while rest:
            count = self._write_some(rest)
            if not count:
                return
            rest = rest[count:]

    def _write_some(self, rest: memoryview) -> int:
        sent: list[int] = []
        self._use(select.POLLOUT, lambda: self._write(rest, sent), lambda: bool(sent))
        return sent[0]

    def queued(self) -> int:
        """Bytes in the pipe now."""
        return int(struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, b"\0" * 4))[0])

    def wait_empty(self) -> None:
        """Wait until the answer has read everything that is in the pipe, or has ended."""
        self._answer.wait(lambda: not self.queued() or self._answer.ended, every=0.001)

    def close(self) -> None:
        if self in self._answer._ends:
            self._answer._ends.remove(self)
            os.close(self.fd)

    def _make_own(self) -> None:
        """An open file description of our own, so that O_NONBLOCK changes nothing for the answer."""
        if not self._own:
            own = os.open(f"/proc/self/fd/{self.fd}", self._mode | os.O_NONBLOCK | os.O_CLOEXEC)
            os.close(self.fd)
            self.fd, self._own = own, True

    def _use(self, events: int, callback: Callable[[], Any], until: Callable[[], bool]) -> None:
        self._answer.listen(self.fd, events, callback)
        try:
            self._answer.wait(until)
        finally:
            self._answer.forget(self.fd)

    def _read(self, most: int) -> bytes | None:
        """What is there now; None when somebody else has taken it meanwhile."""
        try:
            return os.read(self.fd, most)
        except BlockingIOError:
            return None

    def _write(self, rest: memoryview, sent: list[int]) -> None:
        if not sent:
            try:
                sent.append(os.write(self.fd, rest))
            except BlockingIOError:
                pass
            except BrokenPipeError:
                sent.append(0)
