"""One true picture, now, of some processes and of everything they share.

`XRay.look` goes in five strokes, each a module of `labkit.look` (whose docstring says how a new kind of
object is plugged in):

    processes     who is there                     -> look.seen
    descriptors   what each has open               -> look.held
    objects       one module for each sort         -> look.placed, look.objects
    blocked       which call each thread sleeps in
    scene         all of it as one frozen Scene, which `waits` completes

Looking changes nothing but what `labkit/kernel/pipes.py` admits.
"""

from __future__ import annotations

import importlib
import stat
from collections.abc import Mapping
from typing import Any

from labkit.errors import LabError
from labkit.look import Held, Look, Numbers, descriptors, processes
from labkit.scene import Other, Process, Scene, Thread

SORTS = ("pipes", "sockets", "sysv", "posix", "memory", "files")
"""The modules of `labkit.look` that know kinds of objects, in the order they are asked."""

MQUEUE_MAGIC = 0x19800202


class XRay:
    """Takes pictures in which names, ids and times stay the same from look to look."""

    def __init__(
        self, names: Mapping[int, str] | None = None, *, all_objects: bool = False
    ) -> None:
        self.names: Mapping[int, str] = names if names is not None else {}
        self.all_objects = all_objects
        self._numbers = Numbers()
        self._names = processes.Names(self.names)

    def look(self, *pids: int) -> Scene:
        """One picture of these processes, all their descendants, and what they share."""
        self._names.programs = self.names
        look = Look(self._numbers, self.all_objects)
        try:
            processes.find(look, pids, self._names)
            descriptors.read(look)
            _objects(look)
            return _scene(look)
        finally:
            look.close()


def xray(
    *pids: int, names: Mapping[int, str] | None = None, all: bool = False
) -> Scene:
    """One picture of these processes, all their descendants, and what they share."""
    if not pids:
        raise LabError("Which processes? Give at least one pid.")
    scene = XRay(names, all_objects=all).look(*pids)
    if not scene.processes:
        raise LabError(f"There is no process {' or '.join(map(str, pids))}.")
    return scene


def sort_of(look: Look, held: Held) -> str:
    """The module of `labkit.look` that describes what this descriptor is open on."""
    link = held.link
    if link.startswith(b"pipe:[") or (held.stat and stat.S_ISFIFO(held.stat.st_mode)):
        return "pipes"
    if link.startswith(b"socket:["):
        return "sockets"
    if link.startswith((b"/memfd:", b"/dev/shm/")):
        return "memory"
    if look.filesystem(held) == MQUEUE_MAGIC:
        return "posix"
    return "files"


def _objects(look: Look) -> None:
    held: dict[str, list[Held]] = {sort: [] for sort in SORTS}
    for rows in look.held.values():
        for row in rows or ():
            held[sort_of(look, row)].append(row)
    for sort in SORTS:
        describe = _part(sort, "descriptors") or _plain
        if held[sort]:
            describe(look, held[sort])
    for sort in SORTS:
        finish = _part(sort, "objects")
        if finish:
            finish(look)


def _part(sort: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"labkit.look.{sort}"), name, None)
    except ModuleNotFoundError:
        return None


def _plain(look: Look, held: list[Held]) -> None:
    for row in held:
        name = row.link.decode("utf-8", "backslashreplace")
        id = look.reach("other", row.link)
        look.place(row, id)
        look.add(Other(id=id, kind="other", name=name))


def _scene(look: Look) -> Scene:
    return Scene(
        processes=tuple(_process(look, pid) for pid in look.seen),
        objects=tuple(look.objects.values()),
        limits=tuple(look.limits.values()),
    )


def _process(look: Look, pid: int) -> Process:
    seen = look.seen[pid]
    state = processes.STATES.get(seen.stat.state, "sleeping")
    return Process(
        pid=pid,
        ppid=seen.stat.ppid,
        name=seen.name,
        command=seen.stat.command.decode("utf-8", "backslashreplace"),
        state=state,
        threads=tuple(Thread(tid, state) for tid in seen.threads),
        descriptors=descriptors.describe(look, pid),
        mappings=look.mappings.get(pid, ()),
    )
