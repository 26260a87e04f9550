"""Stills in a notebook: `labkit.xray()`, and how a Scene shows itself there."""

from __future__ import annotations

import os
import time
from typing import Any

from labkit import draw, supervisor
from labkit.errors import LabError
from labkit.focus import focus, renumbered
from labkit.magics import byname
from labkit.scene import Process, Scene

SETTLE_S = 2.0
"""How long a still waits for the programs to come to rest."""

_AGAIN_S = 0.05


def load(shell: Any) -> None:
    """Show a Scene as a picture, with its text beside it; printed, it is its text."""
    setattr(Scene, "__str__", _as_text)  # noqa: B010 (here, for a Scene itself draws nothing)
    formatters = shell.display_formatter.formatters
    formatters["text/plain"].for_type(Scene, lambda scene, printer, cycle: printer.text(str(scene)))
    formatters["image/svg+xml"].for_type(Scene, draw.svg)


def _as_text(scene: Scene) -> str:
    return draw.text(scene, times=False)


def xray(*names: str) -> Scene:
    """One picture of the notebook's programs, or of those (and the objects) named.

    A program that was started a moment ago is still on its way, so the picture is taken when all in it
    have come to rest (each asleep in a call, stopped or ended), or after two seconds if they do not.
    """
    running = supervisor.current()
    if running is None:
        raise LabError("No program has been started in this notebook: give pids, as in labkit.xray(4711).")
    until = time.monotonic() + SETTLE_S
    scene, before = _of_those(running.scene(), names), None
    while not (at_rest(scene) and scene_at_rest(scene) == before) and time.monotonic() < until:
        before = scene_at_rest(scene)
        time.sleep(_AGAIN_S)
        scene = _of_those(running.scene(), names)
    return renumbered(scene)


def _of_those(scene: Scene, names: tuple[str, ...]) -> Scene:
    """The scene, or the part of it that was asked for; who has ended already is not called unknown."""
    try:
        return focus(scene, names)
    except LabError:
        ended = {p.name: p for p in byname.programs() if p.done}
        for program in filter(None, map(ended.get, names)):
            raise LabError(
                f"{program.name} {byname.state(program)}: there is nothing of it to look at any more. "
                "What it said is in its own cell."
            ) from None
        raise


def at_rest(scene: Scene) -> bool:
    """Whether nobody in the picture is on the way to somewhere else."""
    return all(map(_rests, scene.processes))


def scene_at_rest(scene: Scene) -> list[Any]:
    """What stays the same between two looks while nothing happens."""
    calls = [
        (p.pid, t.tid, t.state, t.blocked and (t.blocked.call, t.blocked.fd))
        for p in scene.processes
        for t in p.threads
    ]
    return [calls, scene.objects]


def _rests(process: Process) -> bool:
    if process.state in ("stopped", "zombie", "dead") or process.pid == os.getpid():
        return True  # the notebook's own process is on its way, for it runs this
    return all(t.state != "running" and t.blocked is not None for t in process.threads)
