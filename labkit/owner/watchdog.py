"""Frees an owner that a program holds; runs in the notebook's process, beside the owner.

Some facts:

- Much of /proc, the command line and the memory map for example, waits for a lock that fork holds. Among
  thousands that fork, its holder may not get a processor for minutes; and only SIGKILL ends such a wait.
- Everything that a family needs to be counted and stopped (`stat`, `limits`) waits for no lock.

What follows for us: an owner that answers nothing, though asked, while it has more processes than any
program may have, waits so. They are stopped; then it can go on, count them, and end whom it must. Or else
somebody has stopped it: programs may send their parent any signal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from labkit.owner.family import Family, send
from labkit.owner.limits import MOST_PROCESSES

PATIENCE_S = 0.5


class Watchdog:
    """Told by whoever listens to the owner when it spoke, and when it was silent for `PATIENCE_S`."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._asked = False

    def heard(self) -> None:
        """The owner lives."""
        self._asked = False

    def silent(self, owner: int, notebook: int) -> None:
        """Ask the owner whether it lives; if it was asked before, see what holds it."""
        if not self._asked:
            self._asked = True
            self._ask()
            return
        send(owner, signal.SIGCONT)
        family = Family(notebook)
        family.look()
        if len(family.members) > MOST_PROCESSES:
            family.freeze()
