"""■ (SIGINT to the notebook's own process) while a cell waits for a program.

Some facts:

- Python raises KeyboardInterrupt between any two instructions, also where an earlier one is being answered.
  There a second ■ would leave the cell, and the program would go on without anybody.
- A handler of Python's runs in the main thread, also while that waits for a lock; the wait then goes on.

What follows for us: interrupts are counted, and who waits looks at the count several times a second. From
the fifth on they are raised after all, so that nothing of ours can keep a cell for ever.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

LOOKS_EVERY_S = 0.1
"""How often who waits should look at the count."""
_RAISED_FROM = 5


class Count:
    """How many interrupts have come."""

    def __init__(self) -> None:
        self.value = 0

    def _came(self, _number: int, _: FrameType | None) -> None:
        self.value += 1
        if self.value >= _RAISED_FROM:
            raise KeyboardInterrupt


@contextlib.contextmanager
def counted() -> Iterator[Count]:
    """Until the end, interrupts are counted. (Only the main thread ever gets one.)"""
    count = Count()
    if threading.current_thread() is not threading.main_thread():
        yield count
        return
    former = signal.signal(signal.SIGINT, count._came)
    try:
        yield count
    finally:
        signal.signal(signal.SIGINT, former)
