"""The search behind `explore`: prefixes to try, workers that try them, and what came out."""

from __future__ import annotations

import contextlib
import multiprocessing.connection as connections
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from labkit.conductor.limits import UNSEEN
from labkit.conductor.start import own_processor
from labkit.exploration import Exploration, Outcome
from labkit.explore import Options
from labkit.explore.runner import Branch, Runner, Tried
from labkit.explore.schedule import Decision, Notice
from labkit.explore.workers import Worker
from labkit.kernel.private import can_be_separate
from labkit.limits import Limit
from labkit.programs import Command


class _Meeting(Exception):
    """Two runs at the same time could meet, which no run so far has shown."""


class Search:
    """All prefixes, until none is left or a bound is met."""

    def __init__(
        self,
        commands: Sequence[Command],
        options: Options,
        on_progress: Callable[[int, int], None],
        on_look: Callable[[Exploration], None],
    ) -> None:
        self.options = options
        self.on_progress, self.on_look = on_progress, on_look
        self.runner = Runner(commands, options)
        self.known: frozenset[Notice] = frozenset()
        self.found = Exploration(exhaustive=options.exhaustive)
        self.stack: list[Branch] = []
        self.outcomes: dict[str, Outcome] = {}
        self.notes: dict[Limit, None] = {}
        """What is to be said of the programs, complete or not."""
        self.apart = False
        """Workers are kept apart: the programs meet by keys or names."""

    def run(self) -> Exploration:
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {own_processor()})
        try:
            with _sigterm_unwinds():
                self._search(sorted(processors))
        finally:
            self.runner.close()
            os.sched_setaffinity(0, processors)
        self.found.outcomes = self._in_order()
        self.found.known = self.known
        self.found.limits += self.notes
        return self.found

    def _in_order(self) -> list[Outcome]:
        return sorted(self.outcomes.values(), key=lambda o: (-o.count, o.key))

    def _search(self, processors: list[int]) -> None:
        started = time.monotonic()
        jobs = self.options.jobs or len(processors)
        first = self._first()
        if first is None:
            return
        self.apart = first.shared_names and jobs > 1 and not first.elsewhere and can_be_separate()
        if first.shared_names and not self.apart:
            jobs = 1
        try:
            self._share([processors[i % len(processors)] for i in range(jobs)], started)
        except _Meeting:
            self._forget()
            self.stack.append(Branch([], [], []))
            self._all([], started)

    def _share(self, processors: list[int], started: float) -> None:
        """All schedules, by a worker on each of these; by this process, if there is only one."""
        several = len(processors) > 1 and len(self.stack) > 0
        workers: list[Worker] = []
        try:
            for cpu in processors if several else ():
                workers.append(Worker(self.runner, cpu, self.apart, tuple(workers)))
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
        self._forget()

    def _forget(self) -> None:
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
                if tried.elsewhere or (tried.shared_names and not self.apart):
                    raise _Meeting
                if known == self.known and not self._over(started):
                    self._took(task, tried)
            self.on_progress(self.found.schedules, len(self.stack))
        self.found.complete = not self._cut()

    def _cut(self) -> bool:
        unseen = bool(UNSEEN & self.notes.keys())
        return unseen or any(o.ending for o in self.outcomes.values()) or bool(self.found.limits)

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
        self.notes |= dict.fromkeys(tried.limits)
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
        looks = self.options.looks
        if self.found.schedules in looks or (looks and outcome.ending):
            self.on_look(replace(self.found, outcomes=self._in_order()))

    def _over(self, started: float) -> bool:
        options = self.options
        if self.found.limits and self.found.limits[-1].because.startswith("Stopped"):
            return True
        if options.most is not None and self.found.schedules >= options.most:
            self.found.limits.append(Limit("all orders", f"Stopped after {options.most}, as asked."))
            return True
        if options.total_seconds is not None and time.monotonic() - started > options.total_seconds:
            self.found.limits.append(
                Limit("all orders", f"Stopped after {options.total_seconds:g} s, as asked.")
            )
            return True
        return False

    def _not_repeatable(self, how: str) -> None:
        because = f"The program is not repeatable: under one and the same schedule, {how}."
        limit = Limit("every outcome", because)
        if limit not in self.found.limits:
            self.found.limits.append(limit)


@contextlib.contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """SIGTERM, too, ends it so that what the programs made is removed on the way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _difference(one: Outcome | None, other: Outcome | None) -> str:
    assert one is not None
    assert other is not None
    if one.output != other.output:
        return f"it wrote {one.output!r:.60} and then {other.output!r:.60}"
    return "it ended in two ways"
