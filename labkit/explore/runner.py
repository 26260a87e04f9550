"""One schedule after another, each from a clean start to its end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.conductor import Conductor, TimeUp, TooMuchOutput
from labkit.conductor.leftovers import Leftovers
from labkit.conductor.limits import TIMERS
from labkit.conductor.outputs import Outputs
from labkit.exploration import Outcome
from labkit.explore import Options
from labkit.explore.footprint import Footprint
from labkit.explore.schedule import HURRIES, Decision, Notice, Noticed, NotRepeatable, Redundant, Run, TooLong
from labkit.explore.warm import Spawner, Warm, can_be_warmed
from labkit.limits import Limit
from labkit.programs import Command


@dataclass(slots=True)
class Branch:
    """A prefix to try."""

    prefix: list[int]
    expected: list[tuple[str, ...]]
    tried: list[dict[str, Footprint]]
    """At each decision of the prefix: its siblings already tried, and what they touched."""


@dataclass(slots=True)
class Tried:
    """What one schedule gave."""

    outcome: Outcome | None = None
    decisions: list[Decision] = field(default_factory=list)
    notice: Notice | None = None
    differs: str | None = None
    redundant: bool = False
    """It was broken off: what it would have given comes of another."""
    shared_names: bool = False
    """It made things with names that another run at the same time would meet…"""
    limits: tuple[Limit, ...] = ()
    """What is hidden of the programs, or differs for them, because they are led."""
    elsewhere: bool = False
    """…and an IPC namespace of its own would not keep them apart."""


class Runner:
    """Tries schedules one after another in this process."""

    def __init__(self, commands: Sequence[Command], options: Options) -> None:
        self.commands = commands
        self.options = options
        self.outputs: Outputs | None = None
        self.forks: dict[int, Spawner] | None = None

    def close(self) -> None:
        """Give the terminals back. A worker begins with this: those it inherits are its parent's."""
        if self.outputs is not None:
            self.outputs.close()
            self.outputs = None
        for fork in (self.forks or {}).values():
            fork.close()
        self.forks = None

    def _forks(self) -> dict[int, Spawner]:
        """What starts each program: a warm interpreter for those that can have one."""
        if self.forks is None:
            self.forks = {}
            for number, command in enumerate(self.commands):
                self.forks[number] = Warm(command) if can_be_warmed(command) else Spawner(command)
        return self.forks

    def _terminals(self) -> Outputs:
        """The same terminals for every run: they are empty, and nobody else has them."""
        if self.outputs is None:
            self.outputs = Outputs(len(self.commands))
        self.outputs.clear()
        return self.outputs

    def attempt(self, branch: Branch, known: frozenset[Notice]) -> Tried:
        """One schedule, from a clean start to its end, and everything removed that it left."""
        tried = Tried()
        watcher = _Watcher()
        conductor = Conductor(
            self.commands,
            seconds=self.options.seconds,
            stdin=self.options.stdin,
            outputs=self._terminals(),
            forks=self._forks(),
        )
        conductor.hurries = HURRIES
        conductor.on_call = watcher.leftovers.before
        conductor.on_done = watcher.leftovers.after
        with watcher, conductor:
            run = Run(
                conductor,
                branch.prefix,
                known,
                self.options.exhaustive,
                branch.expected,
                branch.tried,
                self.options.points,
                self.options.wakes,
                self.options.alone,
            )
            ending, deadlock = None, None
            try:
                run.run()
            except Noticed as noticed:
                tried.notice = noticed.notice
            except Redundant:
                tried.redundant = True
            except NotRepeatable as error:
                tried.differs = str(error)
            except TimeUp:
                ending = f"still running after {self.options.seconds:g} s"
            except TooMuchOutput:
                ending = f"more than {conductor.most_output:,} bytes of output"
            except TooLong as error:
                ending = str(error)
            if run.stuck:
                deadlock = _why_stuck(conductor)
            alive = {p.pid for p in conductor.processes if p.alive}
        tried.shared_names, tried.elsewhere = watcher.leftovers.named, watcher.leftovers.elsewhere
        if conductor.armed:
            conductor.tell(TIMERS)
        tried.decisions, tried.limits = run.decisions, tuple(conductor.limits)
        if tried.notice is None and tried.differs is None and not tried.redundant:
            tried.outcome = _outcome(conductor, run, alive, deadlock, watcher.left, ending)
        return tried


def _why_stuck(conductor: Conductor) -> str:
    """Most programs never come here, and what draws X-rays takes longer to import than they run."""
    from labkit.decode.still import why_stuck
    from labkit.xray import XRay

    return why_stuck(XRay(), conductor)


class _Watcher:
    """What a run makes, so that it can be told and removed."""

    def __init__(self) -> None:
        self.leftovers = Leftovers()
        self.left: list[str] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        remaining = self.leftovers.remaining()
        self.left = sorted(left.in_words() for left in remaining)
        for left in remaining:
            left.remove()


def _outcome(
    conductor: Conductor, run: Run, alive: set[int], deadlock: str | None, left: list[str], ending: str | None
) -> Outcome:
    exits = {p.name: None if p.pid in alive else _exit(p.status) for p in conductor.processes}
    return Outcome(
        output=conductor.outputs.text(),
        exits=exits,
        deadlock=deadlock,
        left_behind=left,
        count=1,
        schedule=[d.chosen for d in run.decisions],
        steps=[d.offers[d.chosen] for d in run.decisions],
        ending=ending,
    )


def _exit(status: int | None) -> int | None:
    if status is None:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
