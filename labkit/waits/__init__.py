"""Who waits for whom, and which waits can never end: from a Scene alone. Pure.

A process can act while any of its threads can. A thread can act unless it sleeps in a call that has no
time limit, and everybody who could end that call is seen. So, of all live processes, take away each
that has a thread which can act, or which waits for somebody taken away already, or which will be told by
SIGCHLD when such a child ends; do it again until nothing changes. Those who are left wait only for one
another, for ever: unless a signal arrives.

Within them, a knot is a smallest group that waits for nobody outside it. Each knot is one finding; who
merely waits for a knot is named behind it.

What is not certain is not claimed. `enablers` says when somebody unseen could end a wait.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from labkit.scene import Deadlock, Scene, Wait
from labkit.waits import because
from labkit.waits.enablers import Ending, Proof, endings
from labkit.waits.knots import knots, reached, reversed_
from labkit.waits.seen import Seen


def waits(scene: Scene) -> tuple[Wait, ...]:
    """For each blocked thread: what it waits for, and who could end that, as far as can be seen."""
    return tuple(Wait(e.pid, e.tid, e.blocked.object, e.by) for e in endings(Seen(scene)))


def deadlocks(scene: Scene) -> tuple[Deadlock, ...]:
    """Every knot of processes that can never go on, each with a sentence that says why."""
    return judge(scene).deadlocks


def judge(scene: Scene) -> Scene:
    """The same scene with `waits` and `deadlocks` filled in."""
    seen = Seen(scene)
    found = endings(seen)
    return dataclasses.replace(
        scene,
        waits=tuple(Wait(e.pid, e.tid, e.blocked.object, e.by) for e in found),
        deadlocks=_findings(seen, found),
    )


def _findings(seen: Seen, found: list[Ending]) -> tuple[Deadlock, ...]:
    stuck = _Stuck(seen, found)
    findings = []
    graph = stuck.graph()
    waited_for = reversed_(graph)
    told: set[int] = set()
    for knot in knots(graph):
        followers = reached(waited_for, knot) - knot - told
        told |= followers
        findings.append(
            Deadlock(
                processes=(*sorted(knot), *sorted(followers)),
                because=because.sentence(seen, stuck.of(knot), stuck.of(followers)),
            )
        )
    return tuple(findings)


class _Stuck:
    """The largest set of processes none of which can be woken from outside it."""

    def __init__(self, seen: Seen, found: list[Ending]) -> None:
        self.threads: dict[int, list[Ending]] = {}
        for ending in found:
            self.threads.setdefault(ending.pid, []).append(ending)
        self.pids = {
            pid
            for pid, mine in self.threads.items()
            if len(mine) == len(seen.live[pid])
            and not any(e.proof is Proof.OPEN for e in mine)
            and not seen.can_act_by_itself(pid)
        }
        self.hears_of = {pid: seen.hears_of(pid) for pid in self.pids}
        while able := {pid for pid in self.pids if self._can_act(pid)}:
            self.pids -= able

    def of(self, pids: Iterable[int]) -> list[Ending]:
        """The waits of these processes' threads."""
        return [ending for pid in sorted(pids) for ending in self.threads[pid]]

    def _can_act(self, pid: int) -> bool:
        return any(map(self._can_end, self.threads[pid])) or not self.pids.issuperset(self.hears_of[pid])

    def _can_end(self, ending: Ending) -> bool:
        if ending.each:
            return not any(map(self.pids.issuperset, ending.each))
        if not (self.pids.issuperset(ending.by) and self.pids.issuperset(ending.also)):
            return True
        if ending.proof is Proof.CLOSED:
            return False
        return not any(self._waits_back(other, ending) for other in ending.by if other != ending.pid)

    def _waits_back(self, other: int, ending: Ending) -> bool:
        """`other`, who could end this wait, itself waits (by whatever way) for the one who waits."""
        things = {e.thing for e in self.threads[other] if e.thing[0] is not None}
        crossed = ending.proof is Proof.RELATED or bool(things - {ending.thing})
        return crossed and ending.pid in reached(self.graph(), [other])

    def graph(self) -> dict[int, set[int]]:
        """Who among the stuck waits for whom."""
        return {pid: {by for e in self.threads[pid] for by in e.by} & self.pids for pid in self.pids}
