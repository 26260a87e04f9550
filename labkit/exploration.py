"""An Exploration: all that can come out of some programs, and how often it did. Pure data, and its text."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.limits import Limit
from labkit.words import signal_name

VERSION = 1


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

    def in_words(self) -> Iterator[str]:
        """How it ended, where it did not end well."""
        bad = [f"{who} {_how(status)}" for who, status in self.exits.items() if status not in (0, None)]
        if bad:
            yield ", ".join(bad)
        if self.deadlock:
            yield f"deadlock: {self.deadlock}"
        if self.ending:
            yield f"no end: {self.ending}"
        yield from (f"left behind: {left}" for left in self.left_behind)

    @property
    def key(self) -> str:
        return json.dumps(
            [self.output, self.exits, self.deadlock, self.left_behind, self.ending], sort_keys=True
        )

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
    """What was found to be a point on the way (see `labkit/explore/schedule.py`)."""
    exhaustive: bool = False

    @property
    def wrong(self) -> bool:
        """Some outcome is a deadlock, a crash or no end."""
        return any(o.deadlock or o.crash or o.ending for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        return {"version": VERSION, "schedules": self.schedules, "complete": self.complete,
                "outcomes": [outcome.to_dict() for outcome in self.outcomes],
                "limits": [{"what": limit.what, "because": limit.because} for limit in self.limits],
                "known": sorted(self.known), "exhaustive": self.exhaustive}  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Exploration:
        """The inverse of `to_dict`."""
        names = [f.name for f in dataclasses.fields(Outcome)]
        return cls(
            schedules=data["schedules"],
            complete=data["complete"],
            outcomes=[Outcome(**{name: row[name] for name in names}) for row in data["outcomes"]],
            limits=[Limit(row["what"], row["because"]) for row in data["limits"]],
            known=frozenset((kind, tuple(path)) for kind, path in data["known"]),
            exhaustive=data["exhaustive"],
        )

    def replay_options(self, number: int) -> dict[str, Any]:
        """What it takes to play the `number`th outcome (from 0) again."""
        return {
            "schedule": self.outcomes[number].schedule,
            "known": sorted(self.known),
            "exhaustive": self.exhaustive,
        }


def describe(found: Exploration) -> str:
    """The outcomes as text."""
    many = "order" if found.schedules == 1 else "orders"
    lines = [f"{found.schedules:,} {many}{_whole(found)}."]
    for number, outcome in enumerate(found.outcomes, 1):
        lines += ["", *_outcome(number, outcome)]
    lines += [f"({limit.what}: {limit.because})" for limit in found.limits]
    return "\n".join(lines)


def _whole(found: Exploration) -> str:
    """How these stand to all that there are."""
    if not found.complete:
        return ", not all there are"
    return ", all there are" if found.exhaustive else "; any other comes to the same as one of these"


def _outcome(number: int, outcome: Outcome) -> Iterator[str]:
    yield f"Outcome {number}, in {outcome.count:,} of them:"
    for line in outcome.output.splitlines():
        yield f"  | {line}"
    if not outcome.output:
        yield "  | (no output)"
    yield from (f"  {words}" for words in outcome.in_words())
    if outcome.steps:
        yield f"  for example: {'; '.join(outcome.steps)}"


def _how(status: int | None) -> str:
    assert status is not None
    return f"exits {status}" if status > 0 else f"is ended by {signal_name(-status)}"
