"""`labkit xray PID…`: processes and all they share, and who waits for whom."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from labkit.errors import LabError, Vanished
from labkit.kernel import proc

if TYPE_CHECKING:
    from labkit.scene import Scene

_LOOKS_A_SECOND = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pids", nargs="+", metavar="PID", help="these processes and all their descendants")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_const", const="text", dest="form", help="a sketch (default)")
    form.add_argument("--json", action="store_const", const="json", dest="form", help="the Scene as JSON")
    form.add_argument("--dot", action="store_const", const="dot", dest="form", help="for graphviz")
    form.add_argument("--follow", action="store_true", help="draw again and again, until they end or Ctrl-C")
    parser.add_argument("--all", action="store_true", help="also every other IPC object of yours")


def run(options: argparse.Namespace) -> int:
    """0; or 1 when some of the processes can never go on."""
    pids = [_pid(word) for word in options.pids]
    _write_what_can_be_written()
    scene = _follow(pids, options.all) if options.follow else _once(pids, options.all, options.form or "text")
    return 1 if scene.deadlocks else 0


def _pid(word: str) -> int:
    """The process named on the command line, which must be there."""
    if not (word.isascii() and word.isdigit()):
        raise LabError(f"{word!r} is not a process id: give a number, as `ps` shows it.")
    try:
        leader = _leader(int(word))
    except Vanished:
        raise LabError(f"There is no process {int(word)}: `ps` lists those there are.") from None
    if leader != int(word):
        raise LabError(f"{int(word)} is a thread of process {leader}: give {leader}.")
    return leader


def _leader(pid: int) -> int:
    for line in proc.read(b"/proc/%d/status" % pid).splitlines():
        if line.startswith(b"Tgid:"):
            return int(line.split()[1])
    return pid


def _write_what_can_be_written() -> None:
    """A terminal that lacks a character shows a question mark in its place."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def _once(pids: list[int], all_objects: bool, form: str) -> Scene:
    from labkit.xray import xray

    scene = xray(*pids, all=all_objects)
    print(_drawn(scene, form))
    return scene


def _drawn(scene: Scene, form: str) -> str:
    if form == "json":
        return scene.to_json(indent=2)
    if form == "dot":
        from labkit.draw.picture import dot

        return dot(scene).rstrip("\n")
    from labkit.draw import text

    return text(scene)


def _news_first(scene: Scene) -> str:
    """The text with its findings on top: a terminal may be too low for all of it."""
    from labkit.draw import paragraphs

    processes, objects, waits, findings, limits = paragraphs(scene)
    return "\n\n".join(part for part in (findings, processes, objects, waits, limits) if part)


def _follow(pids: list[int], all_objects: bool) -> Scene:
    """Draw what is so, in place, until all of them have ended or Ctrl-C is pressed."""
    import signal
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from labkit.xray import XRay

    camera = XRay(all_objects=all_objects)
    scene = camera.look(*pids)
    told: list[int] = []  # an exception could get lost in the middle of a look, in a `__del__`
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.append(number))
    console = Console(highlight=False, soft_wrap=True)
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as screen:
        while any(process.state not in ("zombie", "dead") for process in scene.processes):
            screen.update(Text(_news_first(scene), no_wrap=True, overflow="crop"), refresh=True)
            time.sleep(1 / _LOOKS_A_SECOND)
            if told:
                break
            last, scene = scene, camera.look(*pids)
            scene = scene if scene.processes else last
            if scene is last:
                break
    if signal.SIGTERM in told:
        sys.exit(128 + signal.SIGTERM)
    return scene
