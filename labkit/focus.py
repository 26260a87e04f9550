"""A Scene -> the part of it that somebody asked for by name; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

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
        there = _all_names(scene)
        raise LabError(
            f"Nothing is called {missing[0]!r} here{f' (there is: {there}).' if there else ': nothing runs.'}"
        )
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


def renumbered(scene: Scene) -> Scene:
    """The same picture with its objects numbered from 1, in the order in which its processes reach them.

    Ids grow as long as somebody looks. In a still of its own they are better small, and the same the
    next time, whatever else was seen in between.
    """
    order = dict.fromkeys(id for process in scene.processes for id in _in_order(process))
    order.update(dict.fromkeys(thing.id for thing in scene.objects))
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for id in order:
        kind, _, number = id.rpartition("-")
        if number.isdigit():
            counts[kind] = counts.get(kind, 0) + 1
            names[id] = f"{kind}-{counts[kind]}"
    renamed = Scene.from_dict(_renamed(scene.to_dict(), names))
    rank = {id: place for place, id in enumerate(names.values())}
    things = sorted(renamed.objects, key=lambda thing: rank.get(thing.id, -1))
    return dataclasses.replace(renamed, objects=tuple(things))


_SAYS_IDS = ("id", "object", "peer", "file", "inside", "because", "notes")


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    new = {key: _renamed(item, names) for key, item in value.items()}
    for key in _SAYS_IDS:
        if key in new:
            new[key] = _said(new[key], names)
    if new.get("name") == str(value.get("id")).replace("-", " "):
        new["name"] = new["id"].replace("-", " ")
    return new


def _said(words: Any, names: dict[str, str]) -> Any:
    if isinstance(words, list):
        return [_said(word, names) for word in words]
    if not isinstance(words, str):
        return words
    return re.sub(r"[a-z][a-z-]*-\d+", lambda found: names.get(found[0], found[0]), words)


def _in_order(process: Process) -> list[str]:
    found = [d.object for d in process.descriptors or ()] + [m.object for m in process.mappings or ()]
    if process.blocked is not None:
        found.append(process.blocked.object)
    return [id for id in found if id is not None]


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
    names = [p.name for p in scene.processes]
    names += [o.id for o in scene.objects if o.kind not in ("terminal", "other", "file")]
    return ", ".join(names)
