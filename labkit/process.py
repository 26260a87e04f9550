"""One program, as the notebook sees it: its name, its state, its end, and what can be done with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Protocol

from labkit import room
from labkit.owner.spawn import ANOTHER_USER
from labkit.programs import Command
from labkit.scene import Scene

OnOutput = Callable[["Program", int, bytes], None]
OnEvent = Callable[["Program", dict[str, Any]], None]

TAIL_BYTES = 4000


class Line(Protocol):
    """The line to the owner, as a program needs it."""

    def ask(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send a request."""

    def asked(self, head: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request and wait for the reply; None when the owner died."""

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something the owner said makes the condition true."""


class Program:
    """One program of the notebook, running or ended."""

    def __init__(self, supervisor: Line, number: int, command: Command, name: str) -> None:
        self._supervisor = supervisor
        self.number = number
        self.command = command
        self.name = name
        self.pid: int | None = None
        self.status: int | None = None
        """Exit status; minus the number of the signal that ended it; None while it runs."""
        self.why: str | None = None
        """Why it was ended, if we did: `timeout`, `stopped`, `killed`, `output`, `owner`."""
        self.left = 0
        """How many of its processes went on when it had ended."""
        self.done = False
        self.gone = False
        self.paused = False
        self.asking = False
        """True while it is blocked reading what a person should type."""
        self.limit = ""
        """The limit it had gone over, in words."""
        self.started_at = time.time()
        self.failure: dict[str, Any] | None = None
        self.scene: Scene | None = None
        """How things stood when its time was up."""
        self.tail = b""
        """The end of what it has written."""
        self.on_output: OnOutput | None = None
        self.on_event: OnEvent | None = None

    @property
    def alive(self) -> bool:
        """True while any process of it is there."""
        return not (self.gone or (self.done and not self.left))

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it and all in its session have ended; its exit status, or None after `timeout`."""
        self._supervisor.wait_for(lambda: self.done, timeout)
        return self.status if self.done else None

    def wrote(self, stream: int, data: bytes) -> None:
        """It wrote this on stream 1 (output) or 2 (error)."""
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        if self.on_output is not None:
            self.on_output(self, stream, data)

    def wait_done_or_asking(self, timeout: float) -> None:
        """Wait until it has ended, or wants something typed, or the time is up."""
        self._supervisor.wait_for(lambda: self.done or self.asking, timeout)

    def wait_gone(self, timeout: float | None = None) -> bool:
        """Wait until no process of it is left."""
        return self._supervisor.wait_for(lambda: self.gone, timeout)

    def pause(self) -> None:
        """Stop every process of it (SIGSTOP)."""
        self._let(False)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._let(True)

    def _let(self, go_on: bool) -> None:
        if not self.gone:
            self.paused = not go_on
            self._supervisor.asked({"do": "pause", "id": self.number, "on": not go_on})

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._ask("signal", signal=int(signal.SIGINT))

    def stop(self) -> None:
        """End all of it: SIGTERM, and SIGKILL a second later."""
        self._ask("stop")

    def kill(self) -> None:
        """End all of it at once."""
        self._ask("kill")

    def type(self, text: str, end: bool = False) -> None:
        """Give it input; with `end`, no more will come."""
        self.asking = False
        self._supervisor.ask({"do": "type", "id": self.number, "end": end}, text.encode())

    def _ask(self, what: str, **more: Any) -> None:
        if not self.gone:
            self._supervisor.ask({"do": what, "id": self.number, **more})

    def why_not_started(self) -> str:
        """In words, after its start has failed."""
        if self.failure is None:
            return f"{self.name} could not be started: the supervisor died. Run the cell again."
        number, what = self.failure["errno"], self.failure["what"]
        if what == ANOTHER_USER:
            return _why_no_other_user(self.name)
        return f"{self.name} could not be started: {what}: {os.strerror(number)}."


def _why_no_other_user(name: str) -> str:
    """There is no second user: why, and what would help."""
    why = f"{name} cannot run as another user: "
    if room.inside():
        return why + os.environ.get(room.ONE_USER, "this room has one user only.")
    return why + f"only root may change users, and this notebook belongs to user {os.getuid()}."
