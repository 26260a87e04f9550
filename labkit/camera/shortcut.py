"""The next Scene without looking anew, where it is certain what a call has changed.

A whole look costs about a millisecond, and most calls on a pipe change nothing but what is in it. Where
all that is so (nobody else did anything, nobody outside has the pipe, no memory is shared, the pipe's
bytes were all in view), the Scene after the call is computed, and the kernel's own count of the bytes must
agree. In every other case there is no shortcut, and the kernel is looked at.
"""

from __future__ import annotations

import fcntl
import os
import termios
from dataclasses import replace
from typing import TypeAlias

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.kernel.peek import content
from labkit.kernel.pipes import HEAD_BYTES
from labkit.scene import AnyObject, Pipe, Scene

_CALLS = ("read", "write")
_STILL = frozenset({"pipe", "terminal", "other"})
"""Kinds of objects that change by no store to memory and by no call on another object."""
_PAGE = os.sysconf("SC_PAGESIZE")


_State: TypeAlias = tuple[tuple[str, int | None, bytes | None], ...]
"""What is in each pipe of a scene."""


class Shortcut:
    """Scenes after calls on pipes. Programs come back to where they were: then the scene is the one that
    was there before, and not another like it.

    Scenes are known here by their ids: whoever asks keeps all that were given.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str, int, int, bytes], Scene] = {}
        """By the scene before, the process and its call."""
        self._origin: dict[int, int] = {}
        """For each computed scene, the one last looked at: they differ in nothing but what is in pipes."""
        self._by_state: dict[tuple[int, _State], Scene] = {}

    def after_call(self, scene: Scene, task: Task, call: Made) -> Scene | None:
        """The scene after a call on a pipe that was made in `scene`; None where it must be looked at."""
        size, name, pid = call.result, call.name, task.process.pid
        if size is None or size <= 0 or call.waited or name not in _CALLS:
            return None
        fd = signed32(call.args[0])
        data = content(pid, call.args[1], min(size, HEAD_BYTES)) if name == "write" else b""
        key = (id(scene), pid, name, fd, size, data)
        found = self._known.get(key)
        if found is None:
            objects = _objects_after(scene, task, fd, call, data)
            if objects is not None:
                found = self._known[key] = self._scene(scene, objects)
        return found

    def _scene(self, scene: Scene, objects: tuple[AnyObject, ...]) -> Scene:
        """`scene` with these objects: the one there has been, if there has."""
        origin = self._origin.setdefault(id(scene), id(scene))
        self._by_state.setdefault((origin, _state(scene.objects)), scene)
        state = _state(objects)
        found = self._by_state.get((origin, state))
        if found is None:
            found = self._by_state[origin, state] = replace(scene, objects=objects)
            self._origin[id(found)] = origin
        return found


def _state(objects: tuple[AnyObject, ...]) -> _State:
    return tuple((thing.id, thing.queued, thing.head) for thing in objects if isinstance(thing, Pipe))


def _objects_after(
    scene: Scene, task: Task, fd: int, call: Made, data: bytes
) -> tuple[AnyObject, ...] | None:
    """The objects of `scene` after the call; None where that is not certain."""
    if any(thing.kind not in _STILL for thing in scene.objects) or scene.deadlocks:
        return None
    pipe = _pipe(scene, task, fd)
    changed = None if pipe is None else _changed(pipe, call, data)
    if changed is None or _bytes_in(task.process.pid, fd) != changed.queued:
        return None
    return tuple(changed if thing.id == changed.id else thing for thing in scene.objects)


def _pipe(scene: Scene, task: Task, fd: int) -> Pipe | None:
    process = scene.process(task.process.pid)
    if process is None or process.state != "running" or len(process.threads) > 1:
        return None
    row = next((row for row in process.descriptors or () if row.fd == fd), None)
    found = scene.object(row.object) if row is not None else None
    return found if isinstance(found, Pipe) and not found.notes and found.others is False else None


def _changed(pipe: Pipe, call: Made, data: bytes) -> Pipe | None:
    """The pipe with the call's bytes in or out; None where its bytes are not all known."""
    size, queued, head = call.result or 0, pipe.queued, pipe.head
    if queued is None or head is None or pipe.capacity is None:
        return None
    if call.name == "write":
        if queued + size > pipe.capacity - 2 * _PAGE or len(head) < min(queued, HEAD_BYTES):
            return None
        return replace(pipe, queued=queued + size, head=(head + data)[:HEAD_BYTES])
    if len(head) != queued or size > queued:
        return None
    return replace(pipe, queued=queued - size, head=head[size:])


def _bytes_in(pid: int, fd: int) -> int | None:
    """How many bytes the kernel says are in the pipe. Everybody stands still meanwhile."""
    try:
        copy = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(copy, termios.FIONREAD, b"\0" * 4)
    finally:
        os.close(copy)
    return int.from_bytes(answer, "little")
