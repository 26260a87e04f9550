"""What differs between two scenes, as little as can be sent; and scenes of some programs only. Pure.

Scenes here are dictionaries, as `Scene.to_dict` makes them and as they travel to a view. A change is
`{processes: {pid: {field: value} | None}, objects: {id: …}, order, waits, deadlocks, limits}`, each key
there only if something in it differs; `ui/scene.js` applies it. None for a process or an object means
that it is gone. `order` says in which order they stand, when that or the set of them has changed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from labkit.scene import Scene, encoded, keys

Json = dict[str, Any]

CLOCKS = ("since_ns", "remaining_ns")
EMPTY: Json = {"processes": [], "objects": [], "waits": [], "deadlocks": [], "limits": []}


def change(old: Json, new: Json) -> Json | None:
    """What turns `old` into `new`; None when nothing does."""
    found: Json = {}
    order: Json = {}
    for kind, key in (("processes", "pid"), ("objects", "id")):
        parts = _parts(old[kind], new[kind], key)
        if parts:
            found[kind] = parts
        names = [thing[key] for thing in new[kind]]
        if names != [thing[key] for thing in old[kind]]:
            order[kind] = names
    if order:
        found["order"] = order
    for kind in ("waits", "deadlocks", "limits"):
        if old[kind] != new[kind]:
            found[kind] = new[kind]
    return found or None


def _parts(old: list[Json], new: list[Json], key: str) -> Json:
    before = {thing[key]: thing for thing in old}
    parts: Json = {str(gone): None for gone in before.keys() - {thing[key] for thing in new}}
    for thing in new:
        known = before.get(thing[key], {})
        if known is thing:
            continue
        differs = {k: value for k, value in thing.items() if k not in known or known[k] != value}
        if differs:
            parts[str(thing[key])] = differs
    return parts


def applied(scene: Json, change: Json) -> Json:
    """The scene after a change: a new dictionary, in which what did not change is the same as before."""
    after = {kind: change.get(kind, scene[kind]) for kind in ("waits", "deadlocks", "limits")}
    for kind, key in (("processes", "pid"), ("objects", "id")):
        parts, order = change.get(kind, {}), change.get("order", {}).get(kind)
        things = {str(thing[key]): thing for thing in scene[kind]}
        things |= {name: things.get(name, {}) | part for name, part in parts.items() if part is not None}
        after[kind] = [things[name] for name in (map(str, order) if order is not None else things)]
    return after


class Encoder:
    """Scenes that follow on one another, as dictionaries: what did not change is not made again."""

    def __init__(self) -> None:
        self._before: dict[Any, tuple[Any, Json]] = {}

    def encoded(self, scene: Scene) -> Json:
        """The scene without clocks, as a dictionary; parts of it may be parts of the one before."""
        things: dict[Any, Any] = {p.pid: p for p in scene.processes} | {o.id: o for o in scene.objects}
        self._before = {name: (thing, self._part(name, thing)) for name, thing in things.items()}
        return {
            "processes": [self._before[p.pid][1] for p in scene.processes],
            "objects": [self._before[o.id][1] for o in scene.objects],
            "waits": encoded(scene.waits),
            "deadlocks": encoded(scene.deadlocks),
            "limits": encoded(scene.limits),
        }

    def _part(self, name: Any, thing: Any) -> Json:
        before, same = self._before.get(name, (None, {}))
        if before == thing:
            return same
        part = {}
        for field, key in keys(type(thing)):
            value = getattr(thing, field)
            if key in same and getattr(before, field) == value:
                part[key] = same[key]
            elif key not in CLOCKS:
                part[key] = without_clocks(encoded(value))
        return part


def without_clocks(value: Any) -> Any:
    """The same less what changes although nothing happens."""
    if isinstance(value, dict):
        return {key: without_clocks(part) for key, part in value.items() if key not in CLOCKS}
    if isinstance(value, list):
        return [without_clocks(part) for part in value]
    return value


def only(scene: Json, names: Collection[str]) -> Json:
    """The programs (with all their children) and objects so called; everything when no name is given.

    Programs alone bring all they reach; objects alone bring all who reach them. An object is called by
    its name, its id or its kind.
    """
    if not names:
        return scene
    people = [p for p in scene["processes"] if program_of(p["name"]) in names or p["name"] in names]
    things = {o["id"] for o in scene["objects"] if {o["id"], o["kind"], o["name"]}.intersection(names)}
    if not people:
        people = [p for p in scene["processes"] if things & _reached(p, scene)]
    kept = things or set().union(*(_reached(p, scene) for p in people))
    pids = {p["pid"] for p in people}
    return {
        **scene,
        "processes": people,
        "objects": [o for o in scene["objects"] if o["id"] in kept],
        "waits": [w for w in scene["waits"] if w["pid"] in pids],
        "deadlocks": [d for d in scene["deadlocks"] if pids.intersection(d["processes"])],
    }


def without(scene: Json, names: Collection[str]) -> Json:
    """The scene less these programs."""
    if not names or not any(program_of(p["name"]) in names for p in scene["processes"]):
        return scene
    kept = {program_of(p["name"]) for p in scene["processes"]} - set(names)
    return only(scene, kept) if kept else EMPTY


def program_of(process: str) -> str:
    """`server` of `server/child 2`."""
    return process.split("/", 1)[0]


def _reached(process: Json, scene: Json) -> set[str]:
    """What a process has open, mapped or waits on; of a connection both ends, of a file its locks."""
    held = [*(process["descriptors"] or ()), *(process["mappings"] or ())]
    held += [t["blocked"] for t in process["threads"] if t["blocked"]]
    ids = {h["object"] for h in held if h["object"]}
    return ids | {o["id"] for o in scene["objects"] if o.get("peer") in ids or o.get("file") in ids}
