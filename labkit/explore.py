"""Every outcome of some programs, over every order in which their processes could have gone.

A depth-first search with no memory but the choices made: each schedule is a fresh run of the programs
along a prefix of choices, then always the first on offer (`labkit/schedule.py` does one). Every choice not
taken is a prefix still to be tried. Several workers try them at the same time, each on a processor of
its own. What a run leaves behind is removed before the next.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import LabError
from labkit.programs import Command
from labkit.scene import Limit


@dataclass(frozen=True, slots=True)
class Options:
    """How far to look."""

    exhaustive: bool = False
    """Also try calls that would only wait."""
    most: int | None = None
    """Schedules after which to stop."""
    seconds: float = 10.0
    """The longest that one schedule may take."""
    total_seconds: float | None = None
    jobs: int | None = None
    """Workers; None: one for each processor."""
    points: int = 2000
    """The most points in one schedule."""


@dataclass(slots=True)
class Outcome:
    """One thing that can come out, and in how many schedules it did."""

    output: str
    exits: dict[str, int | None]
    """By process: exit status, or minus the signal's number; None: it never ended."""
    deadlock: str | None
    """The sentence, when nobody could go on."""
    left_behind: list[str]
    count: int = 0
    schedule: list[int] = field(default_factory=list)
    """The shortest list of choices that leads here."""
    steps: list[str] = field(default_factory=list)
    """The same in words."""
    ending: str | None = None
    """Why a run was cut short; None for one that came to its end."""

    @property
    def crash(self) -> str | None:
        """Who was ended by a signal that means a mistake in the program."""
        bad = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}
        return next((who for who, status in self.exits.items() if status in bad), None)

    @property
    def key(self) -> str:
        return json.dumps([self.output, self.exits, self.deadlock, self.left_behind, self.ending], sort_keys=True)

    def to_dict(self) -> dict[str, Any]:
        return {"output": self.output, "exits": self.exits, "deadlock": self.deadlock, "crash": self.crash,
                "left_behind": self.left_behind, "count": self.count, "schedule": self.schedule,
                "steps": self.steps, "ending": self.ending}  # fmt: skip


@dataclass(slots=True)
class Exploration:
    """All that came out."""

    schedules: int = 0
    complete: bool = False
    outcomes: list[Outcome] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    known: frozenset[Any] = frozenset()
    """What was found to be a point on the way (see `labkit/schedule.py`)."""
    exhaustive: bool = False

    @property
    def wrong(self) -> bool:
        """Some outcome is a deadlock, a crash or no end."""
        return any(o.deadlock or o.crash or o.ending for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        return {"version": 1, "schedules": self.schedules, "complete": self.complete,
                "outcomes": [outcome.to_dict() for outcome in self.outcomes],
                "limits": [{"what": limit.what, "because": limit.because} for limit in self.limits]}  # fmt: skip


def explore(
    commands: Sequence[Command], options: Options | None = None, on_progress: Callable[[int, int], None] | None = None
) -> Exploration:
    """Run these programs under every schedule. Call it in a process with one thread, as a film is made.

    `on_progress` is told how many schedules are done, and how many are known to be waiting.
    """
    from labkit.search import Search

    return Search(commands, options or Options(), on_progress or (lambda done, waiting: None)).run()


def replay(commands: Sequence[Command], exploration: Exploration, outcome: Outcome) -> Any:
    """The film of an outcome: its schedule, played again."""
    from labkit.camera import record_schedule

    if not exploration.outcomes:
        raise LabError("Nothing came out of this exploration, so there is nothing to replay.")
    return record_schedule(commands, outcome.schedule, exploration.known, exploration.exhaustive)


def processors() -> list[int]:
    """The processors that this process may use."""
    return sorted(os.sched_getaffinity(0))
