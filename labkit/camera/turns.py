"""Whose turn it is when several processes could go on.

A film shows one order out of many; these rules make it the same one every time. A process goes on until
it waits, ends or yields, and then the rule chooses. Who asks again and again whether there is something
already, and makes no other use of its turn, would never let that come about: after some such calls its turn
is over, too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from labkit.conductor.tasks import Made, Task
from labkit.errors import LabError

RULES = ("parent-first", "child-first", "alternate")
_PATIENCE = 10
"""Calls that found nothing, before a turn is over."""
_MOST_CALLS = 10_000
"""Calls in one turn."""
_EAGAIN = -11
_WNOHANG = 1
_ASKS = frozenset({"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"})


class Turns:
    """Who goes next. `parent-first`, `child-first`, `alternate`, or a list: `parent,child*2,parent`."""

    def __init__(self, rule: str = "parent-first") -> None:
        self.rule = rule
        self.forced: list[str] = []
        self.missed: list[str] = []
        self._calls, self._in_vain = 0, 0
        """Calls of whose turn it is, and how many of them found nothing."""
        if rule not in RULES:
            _refuse_misspelt(rule)
            self.forced = list(_turns(rule))
            self.rule = "parent-first"

    def choose(self, ready: Sequence[Task], last: Task | None, turn_over: bool) -> Task:
        """One of `ready` (in the order of their creation); `last` is who went before."""
        chosen = self._choose(ready, last, turn_over)
        if chosen is not last or turn_over:
            self._calls, self._in_vain = 0, 0
        return chosen

    def ends_after(self, call: Made) -> bool:
        """The turn is over after this call, though who made it could go on."""
        self._calls += 1
        if call.result is not None and call.result <= 0:
            self._in_vain += _found_nothing(call)
        return call.name == "sched_yield" or self._in_vain >= _PATIENCE or self._calls >= _MOST_CALLS

    def _choose(self, ready: Sequence[Task], last: Task | None, turn_over: bool) -> Task:
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


def _found_nothing(call: Made) -> bool:
    """It asked, and did not wait, for what was not there."""
    if call.name == "wait4":
        return call.result == 0 and bool(call.args[2] & _WNOHANG)
    return call.result == _EAGAIN or (call.name in _ASKS and call.result == 0 and not call.seconds)


def _refuse_misspelt(rule: str) -> None:
    """`childfirst` is hardly anybody's name: taken for one, it would be passed over without a word."""
    meant = difflib.get_close_matches(rule, RULES, 1, cutoff=0.8)
    if meant:
        raise LabError(f"--turns {rule}: did you mean {meant[0]}?")


def _turns(rule: str) -> Iterable[str]:
    for word in rule.split(","):
        name, _, count = word.strip().partition("*")
        if not name or (count and not (count.isdecimal() and int(count))):
            raise LabError(
                f"--turns is parent-first, child-first, alternate, or names separated by commas such as "
                f"parent,child*2,parent: {rule!r} is none of these."
            )
        yield from [name.strip()] * int(count or 1)
