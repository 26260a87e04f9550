"""SIGINT, SIGTERM and SIGHUP end a recording, and the film is what there was until then.

A handler runs between any two lines of Python, also where what the kernel has told is not yet kept. So it
only says that time is up, and whoever leads the programs notices where nothing is under way.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from labkit.conductor import Conductor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal has come while nothing was under way."""


class Interrupts:
    """Takes the signals that end a recording."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._at_rest = False
        self.number: int | None = None
        """The signal that has come."""

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Until the end, signals do not end us. What is ignored (nohup, `&` in a script) stays so."""
        if threading.current_thread() is not threading.main_thread():
            yield  # such a thread never sees a signal
            return
        wanted = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        former = {number: signal.signal(number, self._came) for number in wanted}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Everything stands still, and may be left at once."""
        self._at_rest = True
        try:
            if self.number is not None:
                raise Interrupted
            yield
        finally:
            self._at_rest = False

    def _came(self, number: int, _: FrameType | None) -> None:
        self.number = self.number or number
        self._conductor.ends_at = 0.0
        if self._at_rest:
            raise Interrupted
