"""Takes what programs write to their terminals, in the order they wrote it.

Each program has two terminals, for its output and its error, so that C writes line by line as it does
for a learner. A terminal hands bytes on a little after the `write` that brought them: so whoever leads
the program says how many bytes a call wrote, and exactly that many are waited for.
"""

from __future__ import annotations

import os
import select
import termios
from dataclasses import dataclass, field

STREAMS = ("stdout", "stderr")
_MOST_WAIT_MS = 1000


@dataclass(slots=True)
class Piece:
    """Bytes written in one go."""

    who: str
    stream: str
    data: bytes


@dataclass(slots=True)
class _Terminal:
    master: int
    slave: int
    identity: tuple[int, int]
    kept: bytearray = field(default_factory=bytearray)


class Outputs:
    """The terminals of some programs, and what came out of them."""

    def __init__(self, programs: int) -> None:
        self.pieces: list[Piece] = []
        self.size = 0
        self._terminals = {(p, s): _open_terminal() for p in range(programs) for s in STREAMS}
        self._by_identity = {t.identity: key for key, t in self._terminals.items()}
        self._known: dict[tuple[int, int], tuple[int, str] | None] = {}
        """Where descriptors of processes lead, until some call changes that."""

    def attach(self, program: int) -> None:
        """In a child: make the program's terminals its output and error."""
        for fd, stream in ((1, "stdout"), (2, "stderr")):
            os.dup2(self._terminals[program, stream].slave, fd)

    def slaves(self, program: int) -> list[int]:
        """The sides of a program's terminals that it writes to."""
        return [self._terminals[program, stream].slave for stream in STREAMS]

    def stream(self, pid: int, fd: int) -> tuple[int, str] | None:
        """Whose output this descriptor of a process is (program, stream), or None."""
        if (pid, fd) in self._known:
            return self._known[pid, fd]
        if fd < 0:
            return None
        try:
            status = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            return None
        found = self._known[pid, fd] = self._by_identity.get((status.st_dev, status.st_ino))
        return found

    def forget(self) -> None:
        """Descriptors may lead elsewhere from now on."""
        self._known.clear()

    def take(self, pid: int, fd: int, size: int, who: str) -> None:
        """A call has written `size` bytes to this descriptor: take them, if they are output."""
        key = self.stream(pid, fd)
        if key is not None:
            terminal = self._terminals[key]
            while len(terminal.kept) < size and self._read(terminal, _MOST_WAIT_MS):
                pass
            self._add(who, key[1], bytes(terminal.kept[:size]))
            del terminal.kept[:size]

    def drain(self) -> bool:
        """Take in what is there, so that nobody waits for room in a terminal. True: there was something."""
        before = sum(len(terminal.kept) for terminal in self._terminals.values())
        for terminal in self._terminals.values():
            while self._read(terminal, 0):
                pass
        return sum(len(terminal.kept) for terminal in self._terminals.values()) > before

    def text(self) -> str:
        """All of it, in order."""
        return b"".join(piece.data for piece in self.pieces).decode("utf-8", "replace")

    def clear(self) -> None:
        """Forget what came, for another run of the same programs."""
        self.drain()
        self.pieces, self.size = [], 0
        self.forget()
        for terminal in self._terminals.values():
            terminal.kept.clear()

    def close(self) -> None:
        for terminal in self._terminals.values():
            os.close(terminal.master)
            os.close(terminal.slave)
        self._terminals.clear()

    def _add(self, who: str, stream: str, data: bytes) -> None:
        self.size += len(data)
        if self.pieces and (self.pieces[-1].who, self.pieces[-1].stream) == (who, stream):
            self.pieces[-1].data += data
        elif data:
            self.pieces.append(Piece(who, stream, data))

    def _read(self, terminal: _Terminal, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(terminal.master, select.POLLIN)
        if not poll.poll(milliseconds):
            return False
        try:
            terminal.kept += os.read(terminal.master, 65536)
        except BlockingIOError:
            return False
        return True


def _open_terminal() -> _Terminal:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    mode = termios.tcgetattr(slave)
    mode[1] &= ~termios.OPOST
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    status = os.fstat(slave)
    return _Terminal(master, slave, (status.st_dev, status.st_ino))
