"""Whose turn it is when several processes could go on.

A film shows one order out of many; these rules make it the same one every time. A process goes on until
it waits, ends or yields, and then the rule chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labkit.conductor.tasks import Task
from labkit.errors import LabError

RULES = ("parent-first", "child-first", "alternate")


class Turns:
    """Who goes next. `parent-first`, `child-first`, `alternate`, or a list: `parent,child*2,parent`."""

    def __init__(self, rule: str = "parent-first") -> None:
        self.rule = rule
        self.forced: list[str] = []
        self.missed: list[str] = []
        if rule not in RULES:
            self.forced = list(_turns(rule))
            self.rule = "parent-first"

    def choose(self, ready: Sequence[Task], last: Task | None, turn_over: bool) -> Task:
        """One of `ready` (in the order of their creation); `last` is who went before."""
        while self.forced:
            name = self.forced.pop(0)
            for task in ready:
                if task.who == name:
                    return task
            self.missed.append(name)
        if self.rule == "alternate" or turn_over:
            later = [t for t in ready if last is not None and t.key > last.key]
            return (later or ready)[0]
        if self.rule == "child-first":
            return ready[-1]
        return last if last is not None and last in ready else ready[0]


def _turns(rule: str) -> Iterable[str]:
    for word in rule.split(","):
        name, _, count = word.strip().partition("*")
        if not name or (count and not count.isdigit()):
            raise LabError(
                f"--turns is parent-first, child-first, alternate, or names separated by commas such as "
                f"parent,child*2,parent: {rule!r} is none of these."
            )
        yield from [name.strip()] * int(count or 1)
