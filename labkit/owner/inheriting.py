"""What the notebook's process does with what a dead owner left to it: it ends exactly that."""

from __future__ import annotations

import contextlib
import os
import time

from labkit.owner.belongings import Belongings
from labkit.owner.family import Family
from labkit.owner.journal import Journal


def end_family(notebook: int, left: Journal | None) -> None:
    """End every process that bears this notebook's mark, reap what became ours, remove what is theirs."""
    family = Family(notebook)
    belongings = Belongings(left) if left is not None else None
    family.freeze()
    if belongings is not None:
        belongings.look(family.members, family.ever)
    while family.members:
        family.kill()
        for pid in list(family.members):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        family.look(always=True)
        time.sleep(0.001)
    if belongings is not None:
        belongings.remove()
