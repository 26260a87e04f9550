"""Every outcome of some programs, over every order in which their processes could have gone.

A depth-first search with no memory but the choices made: each schedule is a fresh run of the programs
along a prefix of choices, then always the first on offer (`labkit/explore/schedule.py` does one).
Every choice not taken is a prefix still to be tried. Several workers try them at the same time, each on
a processor of its own. What a run leaves behind is removed before the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.exploration import Exploration
from labkit.programs import Command


@dataclass(frozen=True, slots=True)
class Options:
    """How far to look."""

    exhaustive: bool = False
    """Also try calls that would only wait."""
    most: int | None = None
    """Schedules after which to stop."""
    stdin: str | None = None
    """What each program reads from its standard input."""
    seconds: float = 10.0
    """The longest that one schedule may take."""
    total_seconds: float | None = None
    jobs: int | None = None
    """Workers; None: one for each processor."""
    points: int = 2000
    """The most points in one schedule."""
    wakes: int | None = None
    """The most waits that may come to their time limit in one schedule; None: as many as there are."""
    alone: int | None = None
    """The most steps of one process in a row in one schedule; None: as many as it makes."""
    looks: tuple[int, ...] = ()
    """After so many schedules, and when one was cut short, one may look at what was found so far."""


def explore(
    commands: Sequence[Command],
    options: Options | None = None,
    on_progress: Callable[[int, int], None] = lambda done, waiting: None,
    on_look: Callable[[Exploration], None] = lambda found: None,
) -> Exploration:
    """Run these programs under every schedule. Call it in a process with one thread, as a film is made.

    `on_progress` is told how many schedules are done, and how many are known to be waiting; `on_look` gets
    what was found so far after each of the numbers of schedules that the options name, if they name any, and
    after each schedule that was cut short.
    """
    from labkit.explore.search import Search

    return Search(commands, options or Options(), on_progress, on_look).run()
