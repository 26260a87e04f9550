"""A Scene -> the part of it that somebody asked for by name; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from labkit.errors import LabError
from labkit.scene import AnyObject, Process, Scene


def focus(scene: Scene, wanted: Iterable[str]) -> Scene:
    """The scene with only these programs (with all their children) and objects (by name, id or kind).

    Programs alone bring all they reach; objects alone bring all who reach them. What is said of waits
    and deadlocks stays what it was in the whole picture.
    """
    wanted = list(wanted)
    programs = [word for word in wanted if any(_is_of(p, word) for p in scene.processes)]
    things = [word for word in wanted if any(_is_called(o, word) for o in scene.objects)]
    missing = [word for word in wanted if word not in programs and word not in things]
    if missing:
        raise LabError(f"Nothing is called {missing[0]!r} here (there is: {_all_names(scene)}).")
    if not wanted:
        return scene
    objects = {o.id for o in scene.objects if any(_is_called(o, word) for word in things)}
    people = [p for p in scene.processes if any(_is_of(p, word) for word in programs)]
    if not programs:
        people = [p for p in scene.processes if reached(p) & objects]
    if not things:
        objects = set().union(*map(reached, people))
    return _cut(scene, people, objects)


def reached(process: Process) -> set[str]:
    """Ids of the objects that a process has open, has mapped or is blocked on."""
    found = {d.object for d in process.descriptors or ()}
    found |= {m.object for m in process.mappings or ()}
    for blocked in [process.blocked, *(t.blocked for t in process.threads)]:
        if blocked is not None:
            found |= {blocked.object, *(row.object for row in blocked.on)}
    return {id for id in found if id is not None}


def _cut(scene: Scene, people: list[Process], objects: set[str]) -> Scene:
    pids = {p.pid for p in people}
    return dataclasses.replace(
        scene,
        processes=tuple(people),
        objects=tuple(o for o in scene.objects if o.id in objects),
        waits=tuple(w for w in scene.waits if w.pid in pids),
        deadlocks=tuple(d for d in scene.deadlocks if pids & set(d.processes)),
    )


def _is_of(process: Process, program: str) -> bool:
    return process.name == program or process.name.startswith(program + "/")


def _is_called(thing: AnyObject, word: str) -> bool:
    return word in (thing.id, thing.kind, thing.name)


def _all_names(scene: Scene) -> str:
    names = [p.name for p in scene.processes] + [o.id for o in scene.objects]
    return ", ".join(names) or "nothing runs"
