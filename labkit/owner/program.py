"""One program while it runs: its terminals, its time, its end."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Any

from labkit.owner import spawn
from labkit.owner.output import Output

TICK_S = 0.03
"""How often families are looked at while something runs."""

GRACE_S = 1.0
"""Between SIGTERM and SIGKILL."""


class Program:
    """What the owner knows of a program."""

    def __init__(
        self, number: int, order: spawn.Order, name: str, output: str, tell: Callable[..., None]
    ) -> None:
        self.number = number
        self.name = name
        self.mark = order.mark
        self._tell = tell
        self.output = Output(output, self._passed_on, whole=order.records)
        started = spawn.start(order)
        self.pid, self.session = started.pid, started.session
        self.streams = {started.stdout: 1, started.stderr: 2}
        self.stdin = started.stdin
        self.records = order.records
        self.stdin_is_terminal = order.stdin == "terminal"
        self.tty = started.tty
        self.asking = False
        self.reads_since = 0
        self.seconds: float | None = None
        self.limit = ""
        self.typed = bytearray()
        self.typed_end = False
        self.status: int | None = None
        self.done = False
        """True when the program has ended and so has everybody in its session."""
        self.asked_to_end: float | None = None
        self.deadline: float | None = None
        self.why: str | None = None

    def read(self, fd: int) -> bool:
        """Take what is there on one terminal. False when it has come to its end."""
        while True:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return False
            if not data:
                return False
            self.output.write(self.streams[fd], data)
            if len(data) < 4095:
                return True
            if self.output.total & 0x3FFFF < 4096:
                return True  # let others have their turn

    def close(self, fd: int) -> None:
        """Forget a terminal."""
        self.streams.pop(fd, None)
        os.close(fd)

    def signal_group(self, number: int) -> None:
        """Send a signal to the program's process group, as a terminal does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def ended(self, status: int) -> None:
        """The program's first process was reaped."""
        code = os.waitstatus_to_exitcode(status)
        self.status = code
        how = {"status": code, "why": self.why, "limit": self.limit}
        self._tell({"event": "exit", "id": self.number, **how})

    def _passed_on(self, stream: int, data: bytes) -> None:
        self._tell({"event": "output", "id": self.number, "stream": stream}, data)

    def finish_output(self) -> None:
        """Pass on what was held back."""
        cut = self.output.close()
        if cut is None:
            return
        note: dict[str, Any] = {"event": "cut", "id": self.number, **cut}
        self._tell(note)
        for stream, data in self.output.tail():
            self._passed_on(stream, data)
