"""What to do with what a dead owner left: end exactly that, and remove what is known to be of it."""

from __future__ import annotations

import contextlib
import os
import time

from labkit.owner import journal
from labkit.owner.belongings import Belongings
from labkit.owner.family import Family
from labkit.owner.journal import Journal


def end_family(notebook: int, left: Journal | None, alive: bool = True) -> None:
    """End every process that bears this notebook's mark, reap what became ours, remove what is theirs.

    `alive`: if the notebook was in a room, that room is this one.
    """
    family = Family(notebook)
    belongings = Belongings(left) if left is not None else None
    family.freeze()
    if belongings is not None and family.members:
        belongings.look(family.members, family.ever)
    family.kill()
    while family.living():
        time.sleep(0.001)
        family.kill()
    for pid in family.members:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    if belongings is not None:
        belongings.remove(alive)


def sweep() -> None:
    """Do so for every owner that was killed together with its notebook."""
    for found in journal.abandoned():
        end_family(found.notebook, found, alive=False)
