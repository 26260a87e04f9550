"""An answer that does not end: who waits for whom, as a sentence and a picture.

A report is the same in every run, so pids and times are left out; and a learner's picture holds what is
theirs: the descriptors through which the judge hears of an answer are no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from labkit import draw
from labkit.scene import Process, Scene

MOST_LINES = 24
PIDS = ("pid", "ppid", "tid", "for", "children")
"""The keys of a scene under which there are pids and tids."""
OURS_FROM = 200
"""Descriptors from this number on are the nursery's (`nursery.HIGH`)."""


class Said(NamedTuple):
    because: str
    picture: str


def deadlock(scene: Scene, pids: Collection[int]) -> Said | None:
    """The sentence of a deadlock that all of these processes are in, or None."""
    stuck = {pid for found in scene.deadlocks for pid in found.processes}
    if not scene.deadlocks or not stuck >= set(pids):
        return None
    return Said(_plain(scene.deadlocks[0].because, scene), picture(scene))


def describe(scene: Scene) -> Said:
    """What these processes are doing now: `: write_all waits in read(3)`."""
    said = "; ".join(_doing(process, scene) for process in scene.processes if process.state != "zombie")
    return Said(_plain(f": {said}" if said else "", scene), picture(scene))


def _doing(process: Process, scene: Scene) -> str:
    if process.blocked:
        return f"`{process.name}` is {draw.describe(process.blocked, scene, times=False)}"
    return f"`{process.name}` is {process.state}"


def picture(scene: Scene) -> str:
    """The scene as text, short enough for a report; nothing when there is nothing to see."""
    if not scene.processes:
        return ""
    scene = _numbered(scene)
    lines = _plain(draw.text(_theirs(scene), times=False), scene).splitlines()
    return "\n".join(lines[:MOST_LINES])


def _numbered(scene: Scene) -> Scene:
    """The scene with 1, 2, 3… for pids and tids: how long a line is, and where it is cut, depends on them."""
    tids = [thread.tid for process in scene.processes for thread in process.threads]
    names = dict.fromkeys([*(process.pid for process in scene.processes), *tids])
    numbers = {old: new for new, old in enumerate(names, 1)}
    return Scene.from_dict(_renamed(scene.to_dict(), numbers))


def _renamed(value: Any, numbers: Mapping[int, int], key: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, numbers, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, numbers, key) for item in value]
    return numbers.get(value, value) if key in PIDS else value


def _plain(text: str, scene: Scene) -> str:
    """Text in which processes have their names only, and objects the numbers they would have without us."""
    pids = "|".join(str(process.pid) for process in scene.processes)
    text = re.sub(rf" \((?:pid )?(?:{pids})\)", "", text) if pids else text
    ids = _renumbered(_theirs(scene))
    return re.sub(r"\b[a-z0-9-]+-\d+\b", lambda match: ids.get(match[0], match[0]), text)


def _renumbered(scene: Scene) -> dict[str, str]:
    """New ids for objects: of each kind 1, 2, 3…"""
    counts: dict[str, int] = {}
    ids = {}
    for thing in scene.objects:
        kind = thing.id.rpartition("-")[0]
        counts[kind] = counts.get(kind, 0) + 1
        ids[thing.id] = f"{kind}-{counts[kind]}"
    return ids


def _theirs(scene: Scene) -> Scene:
    """The scene without our own plumbing."""
    processes = tuple(_own(process) for process in scene.processes)
    used = {row.object for process in processes for row in process.descriptors or ()}
    used |= {mapped.object for process in processes for mapped in process.mappings or ()}
    used |= {process.blocked.object for process in processes if process.blocked}
    objects = tuple(thing for thing in scene.objects if thing.id in used or thing.kind.startswith("sysv"))
    return replace(scene, processes=processes, objects=objects, deadlocks=())


def _own(process: Process) -> Process:
    if process.descriptors is None:
        return process
    rows = tuple(row for row in process.descriptors if 2 < row.fd < OURS_FROM)
    return replace(process, descriptors=rows)
