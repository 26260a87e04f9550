"""A scene as boxes and lines, before anybody has decided where they go. Pure.

`picture` gives them to graphviz, `plainsvg` puts them in two columns; both show the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from labkit.draw.doing import doing, is_plain, pages
from labkit.draw.labels import label
from labkit.draw.widths import fit, wrap
from labkit.scene import (
    AnyObject,
    Blocked,
    File,
    InetSocket,
    Lock,
    Pipe,
    Process,
    Scene,
    SysvSem,
    UnixSocket,
    Wait,
)
from labkit.words import call, printable

Style = Literal["process", "object", "ended"]
Stroke = Literal["data", "memory", "link", "waits"]

_LINES = {"process": 17.5, "object": 19.0}
"""So wide is a line in a box, in the size of its letters."""
_TITLE = 15.0
"""And so a title, in the size of its own."""
_CONTENT = 32
_OBJECT_LINES = 7


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    """`p412` or `o3`: made by us, so safe wherever an identifier is wanted."""
    style: Style
    title: str
    lines: tuple[str, ...] = ()
    level: tuple[int, int] | None = None
    content: str = ""
    dead: bool = False
    """It is part of a deadlock."""


@dataclass(frozen=True, slots=True)
class Line:
    start: str
    end: str
    stroke: Stroke
    label: str = ""
    ends: Literal["forward", "both", "none"] = "forward"
    dead: bool = False
    active: bool = False
    """A thread is asleep in a call on this very line."""
    awaited: bool = False
    """Somebody waits for what may come along it."""


@dataclass(frozen=True, slots=True)
class Sketch:
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    findings: tuple[str, ...]
    limits: tuple[str, ...]


def sketch(scene: Scene, times: bool = False) -> Sketch:
    """The boxes and lines of a scene."""
    dead = {pid for found in scene.deadlocks for pid in found.processes}
    shown = {o.id: f"o{i}" for i, o in enumerate(scene.objects) if is_shown(o, scene)}
    lines = _with_waits([*_processes(scene, shown, dead), *_objects(scene, shown)], scene, shown, dead)
    return Sketch(
        boxes=(
            *(_process(p, scene, p.pid in dead, times) for p in scene.processes),
            *(_object(o, scene, shown[o.id]) for o in scene.objects if o.id in shown),
        ),
        lines=tuple(_merged(lines)),
        findings=tuple(printable(found.because).replace("`", "") for found in scene.deadlocks),
        limits=tuple(printable(f"{limit.what}: {limit.because}") for limit in scene.limits),
    )


def is_shown(object: AnyObject, scene: Scene) -> bool:
    """All but plain ones, and files that only one process has open and that nobody has locked."""
    if is_plain(object):
        return False
    if not isinstance(object, File):
        return True
    users = {p.pid for p in scene.processes for d in p.descriptors or () if d.object == object.id}
    users |= {p.pid for p in scene.processes for m in p.mappings or () if m.object == object.id}
    return len(users) > 1 or any(isinstance(o, Lock) and o.file == object.id for o in scene.objects)


def _process(process: Process, scene: Scene, dead: bool, times: bool) -> Box:
    lines = [doing(process, scene, times)]
    if len(process.threads) > 1:
        lines += [
            f"thread tid {t.tid}: {doing(t, scene, times)}" for t in process.threads if t.tid != process.pid
        ]
    if process.descriptors is None:
        lines.append("its descriptors are not visible here")
    if dead:
        lines.append("✗ waits for ever")
    ended = process.state in ("zombie", "dead")
    return Box(
        f"p{process.pid}",
        "ended" if ended else "process",
        f"{fit(printable(process.name), _TITLE, 1, bold=True)} ({process.pid})",
        _short(lines, "process"),
        dead=dead,
    )


def _object(object: AnyObject, scene: Scene, id: str) -> Box:
    said = label(object, scene)
    lines = _short([line for line in (said.about, said.amount, *said.rows) if line], "object")
    return Box(id, "object", said.title, lines, said.level, _content(said.content))


def _content(said: str) -> str:
    if len(said) <= _CONTENT:
        return said
    if said.startswith('"'):
        return said[: _CONTENT - 2] + '…"'
    return said[: _CONTENT // 3 * 3 - 3] + "…"


def _short(lines: list[str], style: str) -> tuple[str, ...]:
    if len(lines) > _OBJECT_LINES:
        lines = [*lines[: _OBJECT_LINES - 1], f"… and {len(lines) - _OBJECT_LINES + 1} more"]
    return tuple(row for line in lines for row in wrap(printable(line), _LINES[style], 1, most=2))


# --- lines ------------------------------------------------------------------------------------------


def _blocked(process: Process) -> list[Blocked]:
    found = [process.blocked, *(thread.blocked for thread in process.threads)]
    return list(dict.fromkeys(blocked for blocked in found if blocked is not None))


def _processes(scene: Scene, shown: dict[str, str], dead: set[int]) -> Iterator[Line]:
    for process in scene.processes:
        yield from _descriptors(process, shown, process.pid in dead)
        for mapping in process.mappings or ():
            if mapping.object in shown:
                said = f"{mapping.prot} {pages(mapping.pages)}".rstrip()
                yield Line(f"p{process.pid}", shown[mapping.object], "memory", said, "none")
        yield from _calls(process, scene, shown, process.pid in dead)


def _descriptors(process: Process, shown: dict[str, str], dead: bool) -> Iterator[Line]:
    asleep = {b.fd: call(b) for b in _blocked(process) if b.fd is not None}
    asleep |= {w.fd: f"{b.call}, {w.fd}" for b in _blocked(process) for w in b.on}
    for held in process.descriptors or ():
        if held.object not in shown:
            continue
        me, it = f"p{process.pid}", shown[held.object]
        active = held.fd in asleep
        said = asleep.get(held.fd, str(held.fd))
        if held.mode == "r":
            yield Line(it, me, "data", said, "forward", dead and active, active)
        else:
            both: Literal["forward", "both", "none"] = "forward" if held.mode == "w" else "both"
            yield Line(me, it, "data", said, both if held.mode else "none", dead and active, active)


def _calls(process: Process, scene: Scene, shown: dict[str, str], dead: bool) -> Iterator[Line]:
    """Calls on objects that need no descriptor: semaphores, queues, locks."""
    held = {d.object for d in process.descriptors or ()}
    for blocked in _blocked(process):
        if blocked.object in shown and blocked.object not in held:
            yield Line(f"p{process.pid}", shown[blocked.object], "data", call(blocked), "forward", dead, True)


def _objects(scene: Scene, shown: dict[str, str]) -> Iterator[Line]:
    for object in scene.objects:
        if object.id not in shown:
            continue
        if isinstance(object, (UnixSocket, InetSocket)) and object.peer in shown and object.id < object.peer:
            yield Line(shown[object.id], shown[object.peer], "link", "", "none")
        if isinstance(object, Lock):
            if object.file in shown:
                yield Line(shown[object.id], shown[object.file], "link", "locks", "none")
            for pid in object.holders or ():
                yield from _to(scene, shown[object.id], pid, "held by")
        if isinstance(object, SysvSem):
            for pid in dict.fromkeys(object.last or ()):
                yield from _to(scene, shown[object.id], pid, "last used by")


def _to(scene: Scene, object: str, pid: int, said: str) -> Iterator[Line]:
    if scene.process(pid):
        yield Line(object, f"p{pid}", "link", said, "forward")


def _with_waits(lines: list[Line], scene: Scene, shown: dict[str, str], dead: set[int]) -> list[Line]:
    """Waits go along the lines that are there, on to whoever could end them; else they have their own."""
    for wait in scene.waits:
        for pid in wait.for_:
            stuck = wait.pid in dead and pid in dead
            along = _along(wait, pid, lines, scene, shown)
            for line in along:
                lines[lines.index(line)] = dataclasses.replace(line, awaited=True, dead=line.dead or stuck)
            if not along and scene.process(pid) and (stuck or pid != wait.pid):
                said = "✗ waits for ever" if stuck else "waits for"
                lines.append(Line(f"p{wait.pid}", f"p{pid}", "waits", said, "forward", stuck))
    return lines


def _along(wait: Wait, pid: int, lines: list[Line], scene: Scene, shown: dict[str, str]) -> list[Line]:
    """The lines by which this process could end the wait: at the other end of a connection, at the other
    side of a pipe."""
    object = scene.object(wait.object or "")
    me, it = f"p{wait.pid}", f"p{pid}"
    for id in (getattr(object, "peer", None), wait.object):
        end = shown.get(id or "", "")
        asleep = [line for line in lines if line.active and {me, end} <= _both(line)]
        same = {line.end == end for line in asleep} if isinstance(object, Pipe) else set()
        able = [line for line in lines if {it, end} <= _both(line) and line not in asleep]
        if found := [line for line in able if (line.end == end) not in same]:
            return found
    return []


def _both(line: Line) -> set[str]:
    return {line.start, line.end}


def _merged(lines: list[Line]) -> list[Line]:
    """Lines between the same boxes that differ only in their labels become one."""
    groups: dict[Line, list[str]] = {}
    for line in lines:
        labels = groups.setdefault(dataclasses.replace(line, label=""), [])
        if line.label and line.label not in labels:
            labels.append(line.label)
    return [
        dataclasses.replace(line, label=", ".join(labels[:6]) + (" …" if len(labels) > 6 else ""))
        for line, labels in groups.items()
    ]
