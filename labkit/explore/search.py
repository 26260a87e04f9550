"""The search behind `explore`: prefixes to try, workers that try them, and what came out."""

from __future__ import annotations

import multiprocessing.connection as connections
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from typing import Any

from labkit.conductor import Conductor, TimeUp, TooMuchOutput
from labkit.conductor.leftovers import Leftovers
from labkit.conductor.outputs import Outputs
from labkit.decode.still import why_stuck
from labkit.exploration import Exploration, Outcome
from labkit.explore import Options
from labkit.explore.footprint import Footprint
from labkit.explore.schedule import HURRIES, Decision, Notice, Noticed, NotRepeatable, Redundant, Run, TooLong
from labkit.explore.warm import Spawner, Warm, can_be_warmed
from labkit.kernel.ptrace import die_with_parent
from labkit.programs import Command
from labkit.scene import Limit
from labkit.xray import XRay


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
    """It made things with names that another run at the same time would meet."""


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
        with conductor:
            run = Run(
                conductor,
                branch.prefix,
                known,
                self.options.exhaustive,
                branch.expected,
                branch.tried,
                self.options.points,
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
            except TooLong:
                ending = f"still running after {self.options.points} points"
            if run.stuck:
                deadlock = why_stuck(XRay(), conductor)
            alive = {p.pid for p in conductor.processes if p.alive}
        watcher.finish()
        tried.shared_names = watcher.leftovers.named
        tried.decisions = run.decisions
        if tried.notice is None and tried.differs is None and not tried.redundant:
            tried.outcome = _outcome(conductor, run, alive, deadlock, watcher.left, ending)
        return tried


class _Watcher:
    """What a run makes, so that it can be told and removed."""

    def __init__(self) -> None:
        self.leftovers = Leftovers()
        self.left: list[str] = []

    def finish(self) -> None:
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


class Search:
    """All prefixes, until none is left or a bound is met."""

    def __init__(
        self, commands: Sequence[Command], options: Options, on_progress: Callable[[int, int], None]
    ) -> None:
        self.options = options
        self.on_progress = on_progress
        self.runner = Runner(commands, options)
        self.known: frozenset[Notice] = frozenset()
        self.found = Exploration(exhaustive=options.exhaustive)
        self.stack: list[Branch] = []
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> Exploration:
        try:
            self._search()
        finally:
            self.runner.close()
        self.found.outcomes = sorted(self.outcomes.values(), key=lambda o: (-o.count, o.key))
        self.found.known = self.known
        return self.found

    def _search(self) -> None:
        started = time.monotonic()
        jobs = self.options.jobs or len(os.sched_getaffinity(0))
        first = self._first()
        if first is not None:
            jobs = 1 if first.shared_names else jobs
            workers = [Worker(self.runner, cpu) for cpu in _cpus(jobs)] if jobs > 1 and self.stack else []
            try:
                self._all(workers, started)
            finally:
                for worker in workers:
                    worker.close()

    def _first(self) -> Tried | None:
        """The first schedule, twice: a program that goes two ways under one schedule is not repeatable."""
        first = self._until_known()
        prefix, expected = [d.chosen for d in first.decisions], [d.offers for d in first.decisions]
        again = self.runner.attempt(Branch(prefix, expected, []), self.known)
        self._take(first, Branch([], [], []))
        if again.differs or (again.outcome and first.outcome and again.outcome.key != first.outcome.key):
            self._not_repeatable(again.differs or _difference(first.outcome, again.outcome))
            if again.differs:
                return None
        return first

    def _until_known(self) -> Tried:
        while True:
            tried = self.runner.attempt(Branch([], [], []), self.known)
            if tried.notice is None:
                return tried
            self._learn(tried.notice)

    def _learn(self, notice: Notice) -> None:
        """Something must be a point after all: begin anew."""
        self.known |= {notice}
        self.stack.clear()
        self.outcomes.clear()
        self.found.schedules = 0

    def _all(self, workers: list[Worker], started: float) -> None:
        idle = list(workers)
        busy: dict[Any, tuple[Worker, Branch, frozenset[Notice]]] = {}
        while self.stack or busy:
            if self._over(started):
                return
            if not workers:
                task = self.stack.pop()
                self._took(task, self.runner.attempt(task, self.known))
                continue
            while idle and self.stack:
                worker = idle.pop()
                task = self.stack.pop()
                worker.give(task, self.known)
                busy[worker.pipe] = (worker, task, self.known)
            for pipe in connections.wait(list(busy)):
                worker, task, known = busy.pop(pipe)
                idle.append(worker)
                tried = worker.take()
                if known == self.known:
                    self._took(task, tried)
            self.on_progress(self.found.schedules, len(self.stack))
        self.found.complete = not self._cut()

    def _cut(self) -> bool:
        return any(outcome.ending for outcome in self.outcomes.values()) or bool(self.found.limits)

    def _took(self, task: Branch, tried: Tried) -> None:
        if tried.notice is not None:
            self._learn(tried.notice)
            self.stack.append(Branch([], [], []))
        elif tried.differs is not None:
            self._not_repeatable(tried.differs)
        else:
            self._take(tried, task)
        self.on_progress(self.found.schedules, len(self.stack))

    def _take(self, tried: Tried, branch: Branch) -> None:
        """Count a schedule, and note the next choice not taken at each new decision on its way."""
        if tried.outcome is not None:
            self._count(tried.outcome)
        new = max(len(branch.prefix) - 1, 0)
        chosen, offers = [d.chosen for d in tried.decisions], [d.offers for d in tried.decisions]
        for at, decision in enumerate(tried.decisions[new:], new):
            before = branch.tried[at] if at < len(branch.tried) else {}
            done = {**before, offers[at][chosen[at]]: decision.footprint}
            other = self._next(decision)
            if other is not None:
                above = [branch.tried[i] if i < len(branch.tried) else {} for i in range(at)]
                self.stack.append(Branch([*chosen[:at], other], offers[: at + 1], [*above, done]))

    def _next(self, decision: Decision) -> int | None:
        """The offer to be tried after the one that was, or None when it was the last."""
        later = range(decision.chosen + 1, len(decision.offers))
        return next((i for i in later if decision.offers[i] not in decision.asleep), None)

    def _count(self, outcome: Outcome) -> None:
        self.found.schedules += 1
        known = self.outcomes.setdefault(outcome.key, outcome)
        if known is not outcome:
            known.count += 1
            if (len(outcome.schedule), outcome.schedule) < (len(known.schedule), known.schedule):
                known.schedule, known.steps = outcome.schedule, outcome.steps

    def _over(self, started: float) -> bool:
        options = self.options
        if options.most is not None and self.found.schedules >= options.most:
            self.found.limits.append(Limit("all schedules", f"Stopped after {options.most}, as asked."))
            return True
        if options.total_seconds is not None and time.monotonic() - started > options.total_seconds:
            self.found.limits.append(
                Limit("all schedules", f"Stopped after {options.total_seconds:g} s, as asked.")
            )
            return True
        return False

    def _not_repeatable(self, how: str) -> None:
        because = f"The program is not repeatable: under one and the same schedule, {how}."
        limit = Limit("every outcome", because)
        if limit not in self.found.limits:
            self.found.limits.append(limit)


def _difference(one: Outcome | None, other: Outcome | None) -> str:
    assert one is not None
    assert other is not None
    if one.output != other.output:
        return f"it wrote {one.output!r:.60} and then {other.output!r:.60}"
    return "it ended in two ways"


def _cpus(jobs: int) -> list[int]:
    cpus = sorted(os.sched_getaffinity(0))
    return [cpus[i % len(cpus)] for i in range(jobs)]


class Worker:
    """A process that tries the schedules it is given, on one processor."""

    def __init__(self, runner: Runner, cpu: int) -> None:
        self.pipe, theirs = Pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.pipe.close()
                _serve(runner, cpu, theirs, parent)
            finally:
                os._exit(0)
        theirs.close()

    def give(self, task: Branch, known: frozenset[Notice]) -> None:
        self.pipe.send((task, known))

    def take(self) -> Tried:
        found = self.pipe.recv()
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, Tried)
        return found

    def close(self) -> None:
        self.pipe.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def _serve(runner: Runner, cpu: int, pipe: Any, parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGTERM, _end)
    os.sched_setaffinity(0, {cpu})
    runner.close()
    try:
        while True:
            branch, known = pipe.recv()
            pipe.send(_attempted(runner, branch, known))
    except (EOFError, OSError):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # leaving already: what is led is ended in peace
        runner.close()


def _attempted(runner: Runner, branch: Branch, known: frozenset[Notice]) -> Tried | Exception:
    try:
        return runner.attempt(branch, known)
    except Exception as error:
        return error


def _end(number: int, frame: object) -> None:
    """SIGTERM: leave, and end on the way all that is led."""
    raise SystemExit
