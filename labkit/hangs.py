"""An answer that does not end: who waits for whom, as a sentence and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from labkit.scene import Scene

MOST_LINES = 24


class Said(NamedTuple):
    because: str
    picture: str


def look(pids: Sequence[int], names: dict[int, str]) -> Scene:
    """A Scene of these processes and their descendants."""
    from labkit.xray import XRay

    return XRay(names).look(*pids)


def deadlock(pids: Sequence[int], names: dict[int, str]) -> Said | None:
    """The sentence of a deadlock that all of these processes are in, or None."""
    scene = look(pids, names)
    stuck = {pid for found in scene.deadlocks for pid in found.processes}
    if not scene.deadlocks or not stuck >= set(pids):
        return None
    return Said(scene.deadlocks[0].because, picture(scene))


def describe(pids: Sequence[int], names: dict[int, str]) -> Said:
    """What these processes are doing now: `: write_all waits in read(3)`."""
    from labkit import draw

    scene = look(pids, names)
    said = [_doing(process, scene, draw) for process in scene.processes]
    return Said(f": {'; '.join(said)}" if said else "", picture(scene))


def _doing(process, scene, draw) -> str:  # type: ignore[no-untyped-def]
    if process.blocked:
        return f"`{process.name}` is {draw.describe(process.blocked, scene)}"
    return f"`{process.name}` is {process.state}"


def picture(scene: Scene) -> str:
    """The scene as text, short enough for a report."""
    from labkit import draw

    lines = draw.text(scene).splitlines()
    return "\n".join(lines[:MOST_LINES])
