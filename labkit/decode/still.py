"""What xray sees of programs that are led by a conductor, and stand still."""

from __future__ import annotations

import os
from dataclasses import replace

from labkit.conductor import Conductor
from labkit.conductor.tasks import Task
from labkit.decode import friendly
from labkit.scene import Process, Scene, State
from labkit.waits import waits
from labkit.words import listing
from labkit.xray import XRay


def still_scene(xray: XRay, conductor: Conductor) -> Scene:
    """What xray sees of a conductor's processes, which all stand still."""
    seen = [p for p in conductor.processes if p.alive or os.path.exists(f"/proc/{p.pid}")]
    xray.names, xray.started_by_us = {p.pid: p.name for p in seen}, True
    found = xray.look(*(p.pid for p in seen))
    scene = replace(found, processes=tuple(_still_life(p, conductor.tasks) for p in found.processes))
    return replace(scene, waits=waits(scene)) if _blocked(scene) - _blocked(found) else scene


def _blocked(scene: Scene) -> set[int]:
    """Threads that wait. (One whose time is over waits until its turn comes; xray sees it stand.)"""
    return {t.tid for process in scene.processes for t in process.threads if t.blocked is not None}


def why_stuck(xray: XRay, conductor: Conductor) -> str:
    """The sentence about processes of which none can go on."""
    scene = still_scene(xray, conductor)
    sentences = [deadlock.because for deadlock in scene.deadlocks]
    if sentences:
        return " ".join(sentences)
    waiting = [f"`{t.who}` in {friendly(t.call)}" for t in conductor.sleeping() if t.call]
    return (
        f"Nobody is left who could go on: {listing(waiting)} wait{'s' if len(waiting) == 1 else ''} for ever."
    )


def _still_life(process: Process, tasks: dict[int, Task]) -> Process:
    """What xray saw, less the marks of being led: a process held at a stop is one that could run."""
    threads = []
    for thread in process.threads:
        task = tasks.get(thread.tid)
        if task is None:
            threads.append(thread)
        elif task.state in ("asleep", "fired"):
            if task.state == "asleep" and thread.blocked is not None:
                task.waits = replace(thread.blocked, since_ns=None)
            threads.append(replace(thread, state="sleeping", blocked=task.waits))
        elif task.state == "ended":
            threads.append(thread)
        else:
            state: State = "stopped" if task.state == "stopped" else "running"
            threads.append(replace(thread, state=state, blocked=None))
    main = next((t for t in threads if t.tid == process.pid), None)
    task = tasks.get(process.pid)
    if main is None or task is None:
        return replace(process, threads=tuple(threads))
    return replace(process, threads=tuple(threads), state=main.state, blocked=main.blocked)
