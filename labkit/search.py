"""The search behind `explore`: prefixes to try, workers that try them, and what came out."""

from __future__ import annotations

import multiprocessing.connection as connections
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from typing import Any

from labkit.conductor import Conductor, TimeUp
from labkit.exploration import Exploration, Outcome
from labkit.explore import Options
from labkit.leftovers import Leftovers
from labkit.outputs import Outputs
from labkit.programs import Command
from labkit.scene import Limit
from labkit.schedule import Notice, Noticed, NotRepeatable, Run, TooLong
from labkit.still import why_stuck
from labkit.xray import XRay


@dataclass(slots=True)
class Task_:
    """A prefix to try."""

    prefix: list[int]
    expected: list[tuple[str, ...]]


@dataclass(slots=True)
class Tried:
    """What one schedule gave."""

    outcome: Outcome | None = None
    decisions: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    notice: Notice | None = None
    differs: str | None = None
    shared_names: bool = False
    """It made things with names that another run at the same time would meet."""


class Runner:
    """Tries schedules one after another in this process."""

    def __init__(self, commands: Sequence[Command], options: Options) -> None:
        self.commands = commands
        self.options = options
        self.outputs: Outputs | None = None

    def _terminals(self) -> Outputs:
        """The same terminals for every run: they are empty, and nobody else has them."""
        if self.outputs is None:
            self.outputs = Outputs(len(self.commands))
        self.outputs.clear()
        return self.outputs

    def attempt(self, prefix: list[int], expected: list[tuple[str, ...]], known: frozenset[Notice]) -> Tried:
        """One schedule, from a clean start to its end, and everything removed that it left."""
        tried = Tried()
        watcher = _Watcher()
        conductor = Conductor(
            self.commands, seconds=self.options.seconds, stdin=self.options.stdin, outputs=self._terminals()
        )
        conductor.on_call = watcher.leftovers.before
        conductor.on_done = watcher.leftovers.after
        with conductor:
            run = Run(conductor, prefix, known, self.options.exhaustive, expected, self.options.points)
            ending, deadlock = None, None
            try:
                run.run()
            except Noticed as noticed:
                tried.notice = noticed.notice
            except NotRepeatable as error:
                tried.differs = str(error)
            except TimeUp:
                ending = f"still running after {self.options.seconds:g} s"
            except TooLong:
                ending = f"still running after {self.options.points} points"
            if run.stuck:
                deadlock = why_stuck(XRay(), conductor)
            alive = {p.pid for p in conductor.processes if p.alive}
        watcher.finish()
        tried.shared_names = watcher.leftovers.named
        tried.decisions = [(d.offers, d.chosen) for d in run.decisions]
        if tried.notice is None and tried.differs is None:
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
        self.stack: list[Task_] = []
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> Exploration:
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
        self.found.outcomes = sorted(self.outcomes.values(), key=lambda o: (-o.count, o.key))
        self.found.known = self.known
        return self.found

    def _first(self) -> Tried | None:
        """The first schedule, twice: a program that goes two ways under one schedule is not repeatable."""
        first = self._until_known([], [])
        again = self.runner.attempt(
            [c for _, c in first.decisions], [o for o, _ in first.decisions], self.known
        )
        self._take(first, 0)
        if again.differs or (again.outcome and first.outcome and again.outcome.key != first.outcome.key):
            self._not_repeatable(again.differs or _difference(first.outcome, again.outcome))
            if again.differs:
                return None
        return first

    def _until_known(self, prefix: list[int], expected: list[tuple[str, ...]]) -> Tried:
        while True:
            tried = self.runner.attempt(prefix, expected, self.known)
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
        idle, busy = list(workers), {}
        while self.stack or busy:
            if self._over(started):
                return
            if not workers:
                task = self.stack.pop()
                self._took(task, self.runner.attempt(task.prefix, task.expected, self.known))
                continue
            while idle and self.stack:
                worker = idle.pop()
                task = self.stack.pop()
                worker.give(task, self.known)
                busy[worker.pipe] = (worker, task, self.known)
            for pipe in connections.wait(list(busy)):
                worker, task, known = busy.pop(pipe)  # type: ignore[call-overload]
                idle.append(worker)
                tried = worker.take()
                if known == self.known:
                    self._took(task, tried)
            self.on_progress(self.found.schedules, len(self.stack))
        self.found.complete = not self._cut()

    def _cut(self) -> bool:
        return any(outcome.ending for outcome in self.outcomes.values()) or bool(self.found.limits)

    def _took(self, task: Task_, tried: Tried) -> None:
        if tried.notice is not None:
            self._learn(tried.notice)
            self.stack.append(Task_([], []))
        elif tried.differs is not None:
            self._not_repeatable(tried.differs)
        else:
            self._take(tried, len(task.prefix))
        self.on_progress(self.found.schedules, len(self.stack))

    def _take(self, tried: Tried, depth: int) -> None:
        """Count a schedule, and note every choice that was not taken on its way."""
        if tried.outcome is None:
            return
        self.found.schedules += 1
        known = self.outcomes.setdefault(tried.outcome.key, tried.outcome)
        if known is not tried.outcome:
            known.count += 1
            if (len(tried.outcome.schedule), tried.outcome.schedule) < (len(known.schedule), known.schedule):
                known.schedule, known.steps = tried.outcome.schedule, tried.outcome.steps
        chosen = [c for _, c in tried.decisions]
        expected = [o for o, _ in tried.decisions]
        for at in range(depth, len(chosen)):
            for other in range(len(expected[at]) - 1, chosen[at], -1):
                self.stack.append(Task_([*chosen[:at], other], expected[: at + 1]))

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

    def give(self, task: Task_, known: frozenset[Notice]) -> None:
        self.pipe.send((task.prefix, task.expected, known))

    def take(self) -> Tried:
        found = self.pipe.recv()
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, Tried)
        return found

    def close(self) -> None:
        import signal

        self.pipe.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def _serve(runner: Runner, cpu: int, pipe: Any, parent: int) -> None:
    from labkit.kernel.ptrace import die_with_parent

    die_with_parent()
    if os.getppid() != parent:
        return
    os.sched_setaffinity(0, {cpu})
    while True:
        try:
            prefix, expected, known = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(runner.attempt(prefix, expected, known))
        except Exception as error:
            pipe.send(error)
