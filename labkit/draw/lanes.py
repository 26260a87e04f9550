"""A film as rows and lanes, before anybody has decided where they go. Pure.

A row is a frame, or a line that a program wrote to its own output. A lane is a process (or a thread),
in the order in which they first act, as in the player's timeline. What is not known stays None: who woke
a process is said only where the scenes show after whose call it was no longer asleep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from labkit.scene import Scene

if TYPE_CHECKING:
    from labkit.film import Film, Frame

Mark = Literal["call", "waits", "failed", "signal", "ends", "killed", "says"]

_FORKS = frozenset({"fork", "vfork", "clone", "clone3"})


@dataclass(frozen=True, slots=True)
class Row:
    who: str
    text: str
    """Without the name in front."""
    mark: Mark


@dataclass(frozen=True, slots=True)
class Wait:
    """In a call, from one row to another; all as places in `Reel.rows`."""

    start: int
    end: int | None
    """Where it goes on; None: it does not, as far as the film goes."""
    woken: int | None
    """What woke it, where that is known."""


@dataclass(slots=True)
class Lane:
    who: str
    first: int
    last: int
    born: int | None = None
    """The row of the fork that made it; None for a program, and where it is not known."""
    parent: str | None = None
    """Whose fork that was."""
    ended: bool = False
    waits: list[Wait] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reel:
    rows: tuple[Row, ...]
    lanes: tuple[Lane, ...]
    stuck: bool
    """Nobody could go on: the waits that are open at the end are for ever."""
    ends: tuple[tuple[str, bool], ...]
    """What is to be said below, and whether it is a warning."""


def reel(film: Film) -> Reel:
    """The rows and lanes of a film."""
    rows: list[Row] = []
    at: dict[int, int] = {}
    for moment in film.moments():
        if isinstance(moment, tuple):
            rows.append(Row(*moment, "says"))
        else:
            at[moment.n] = len(rows)
            rows.append(_row(moment))
    return Reel(tuple(rows), tuple(_lanes(film, rows, at)), _is_stuck(film), tuple(film.endings()))


def _row(frame: Frame) -> Row:
    return Row(frame.who, frame.text.removeprefix(f"{frame.who}: "), _mark(frame))


def _mark(frame: Frame) -> Mark:
    if frame.blocked:
        return "waits"
    if frame.call is not None:
        return "failed" if frame.result is not None and frame.result < 0 else "call"
    words = frame.text.removeprefix(f"{frame.who}: ")
    if words.startswith("gets "):
        return "signal"
    return "killed" if words.startswith("is ended by ") else "ends"


def _is_stuck(film: Film) -> bool:
    return any(limit.what == "deadlock" for limit in film.limits)


def _lanes(film: Film, rows: list[Row], at: dict[int, int]) -> Iterator[Lane]:
    frames: dict[str, list[Frame]] = {}
    for frame in film.frames:
        frames.setdefault(frame.who, []).append(frame)
    for row in rows:
        frames.setdefault(row.who, [])  # who has only written to its own output, and was cut short
    for who, own in frames.items():
        born = _born(film, own[0]) if own else None
        places = [n for n, row in enumerate(rows) if row.who == who]
        yield Lane(
            who,
            first=places[0],
            last=places[-1],
            born=None if born is None else at[born.n],
            parent=None if born is None else born.who,
            ended=bool(own) and rows[at[own[-1].n]].mark in ("ends", "killed"),
            waits=list(_waits(film, own, at)),
        )


def _born(film: Film, first: Frame) -> Frame | None:
    """The fork that made whoever made this first frame."""
    for frame in film.frames[: first.n]:
        if frame.call not in _FORKS:
            continue
        new = film.scene(frame.n).process(first.pid)
        is_child = new is not None and new.ppid == frame.pid and not _was_there(film, frame, first.pid)
        if frame.text.endswith(f"= {first.who}") or (is_child and frame.pid != first.pid):
            return frame
    return None


def _was_there(film: Film, frame: Frame, pid: int) -> bool:
    return frame.n > 0 and film.scene(frame.n - 1).process(pid) is not None


# --- waits ------------------------------------------------------------------------------------------


def _waits(film: Film, own: list[Frame], at: dict[int, int]) -> Iterator[Wait]:
    for frame, after in zip(own, [*own, None][1:], strict=True):
        if frame.blocked:
            woken = _woken(film, frame, after)
            end = None if after is None else at[after.n]
            yield Wait(at[frame.n], end, None if woken is None else at[woken])


def _woken(film: Film, began: Frame, after: Frame | None) -> int | None:
    """The frame of somebody else after which who began to wait was awake."""
    asleep = _asleep(film.scene(began.n), began.pid)
    if began.n:
        asleep -= _asleep(film.scene(began.n - 1), began.pid)
    for n in range(began.n + 1, len(film.frames) if after is None else after.n):
        scene = film.scene(n)
        if scene.process(began.pid) is None or len(asleep) != 1:
            return None
        if not asleep & _asleep(scene, began.pid):
            return n
    return None


def _asleep(scene: Scene, pid: int) -> set[int]:
    process = scene.process(pid)
    if process is None:
        return set()
    found = {thread.tid for thread in process.threads if thread.blocked is not None}
    return found | ({pid} if process.blocked is not None else set())
