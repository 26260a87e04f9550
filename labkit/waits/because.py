"""Why some processes can never go on: who waits for what, who could have ended it, what to change. Pure.

Names stand in backquotes, descriptors as numbers, so that a learner finds both in the program.
"""

from __future__ import annotations

from labkit.waits.clauses import clause, them
from labkit.waits.enablers import Ending
from labkit.waits.remedies import remedy
from labkit.waits.seen import Seen
from labkit.words import call, count, listing, quoted

_MOST = 4
"""So many waits are told one by one."""


def sentence(seen: Seen, knot: list[Ending], followers: list[Ending]) -> str:
    """What holds the knot together, how to undo it, and who merely waits for it."""
    told = [clause(seen, ending) for ending in _by_process(knot)[:_MOST]]
    more = len({e.pid for e in knot}) - _MOST
    if more > 0:
        told.append(f"{count(more, 'other process', 'other processes')} of the same knot wait likewise")
    text = ". ".join([*told, _capital(remedy(seen, knot))]) + "."
    waiting = _by_process(followers)
    if waiting:
        text += f" {_followers(seen, waiting)}"
    return text


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _by_process(endings: list[Ending]) -> list[Ending]:
    """One wait for each process: that of its main thread, unless another's says more."""
    chosen: dict[int, Ending] = {}
    for ending in endings:
        if ending.pid not in chosen or _rank(ending) > _rank(chosen[ending.pid]):
            chosen[ending.pid] = ending
    return list(chosen.values())


def _rank(ending: Ending) -> tuple[bool, bool]:
    """A wait for a thing says more than one for another thread: who joins a stuck thread is not the cause."""
    return ending.blocked.object is not None, ending.tid == ending.pid


def _followers(seen: Seen, waiting: list[Ending]) -> str:
    names = [quoted(e.pid, seen.scene) for e in waiting]
    if len(waiting) == 1:
        one = waiting[0]
        return f"{names[0]} waits in {call(one.blocked)} for {them(seen, one)}, so it waits for ever too."
    return f"{listing(names)} wait for them, so they wait for ever too."
