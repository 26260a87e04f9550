"""What a process is doing and what it has open, in words. Pure."""

from __future__ import annotations

from labkit.scene import AnyObject, Blocked, Descriptor, File, PageKind, Process, Scene, Thread
from labkit.words import (
    CHILDREN,
    SIGNALS,
    SLEEPS,
    about,
    call,
    duration,
    listing,
    name,
    place,
    printable,
    signal_name,
)

UNSEEN = "not visible here"
_PAGES = 32
"""So many pages are shown one by one."""


def describe(blocked: Blocked, scene: Scene, times: bool = True) -> str:
    """What a thread is asleep in: `waiting in read(3) on pipe-1 for 2.1 s`."""
    said = _what(blocked, scene)
    if blocked.timed and blocked.call not in SLEEPS:
        said += ", with a time limit,"
    if times and blocked.since_ns is not None:
        said += f" for {duration(blocked.since_ns)}"
    return said.rstrip(",")


def _what(blocked: Blocked, scene: Scene) -> str:
    said = f"waiting in {call(blocked)}"
    if blocked.call in SLEEPS:
        return f"sleeping in {blocked.call}"
    if blocked.call in SIGNALS:
        return f"{said} for a signal"
    if blocked.call in CHILDREN:
        children = listing([name(pid, scene) for pid in blocked.children or ()], "or")
        return f"{said} for {children or 'a child'} to end"
    if blocked.on:
        return f"{said} on {listing(_watched(blocked), 'or')}"
    on = f" on {_semaphores(blocked)}{_on(blocked.object, scene)}" if blocked.object else ""
    return f"{said}{on} {about(blocked)}".rstrip()


def _on(id: str, scene: Scene) -> str:
    object = scene.object(id)
    return f"its {plain_word(object)}" if object is not None and is_terminal(object) else printable(id)


def _watched(blocked: Blocked) -> list[str]:
    return list(dict.fromkeys(watched.object or f"descriptor {watched.fd}" for watched in blocked.on))


def _semaphores(blocked: Blocked) -> str:
    numbers = list(dict.fromkeys(str(number) for number, change in blocked.operations))
    return f"semaphore {listing(numbers)} of " if numbers else ""


def doing(thread: Process | Thread, scene: Scene, times: bool = True) -> str:
    """What a process or a thread is doing, in words."""
    if thread.state == "stopped":
        return "stopped by a signal or a debugger"
    if thread.state in ("zombie", "dead"):
        return _ended(thread)
    if thread.blocked is not None:
        return describe(thread.blocked, scene, times)
    if isinstance(thread, Process) and _main_has_ended(thread):
        return "its main thread has ended; the others go on"
    return "running" if thread.state == "running" else f"asleep, in what is {UNSEEN}"


def _main_has_ended(process: Process) -> bool:
    return any(t.tid == process.pid and t.state in ("zombie", "dead") for t in process.threads)


def _ended(thread: Process | Thread) -> str:
    status = thread.exit if isinstance(thread, Process) else None
    how = "ended"
    if status is not None:
        how = f"ended with status {status}" if status >= 0 else f"ended by {signal_name(-status)}"
    return f"{how}; its parent has not waited for it yet" if thread.state == "zombie" else how


def is_plain(object: AnyObject | None) -> bool:
    """Terminals, /dev/null and the like: every program has them, and they say nothing."""
    if object is None:
        return False
    return is_terminal(object) or _path(object) in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def plain_word(object: AnyObject) -> str:
    """`terminal`, or the device's path."""
    return "terminal" if is_terminal(object) else printable(_path(object))


def is_terminal(object: AnyObject) -> bool:
    """Whether somebody may sit before it and type."""
    return object.kind == "terminal" or _path(object).startswith(("/dev/pts/", "/dev/tty"))


def _path(object: AnyObject) -> str:
    return (object.path if isinstance(object, File) else object.name) or ""


ARROWS = {"r": "◂", "w": "▸", "rw": "◂▸", None: "·"}
"""Which way bytes go, seen from the process: reads, writes, both, neither."""


def open_end(held: Descriptor, scene: Scene) -> str:
    """One descriptor: `4 ▸ pipe-1`."""
    object = scene.object(held.object)
    what = printable(held.object or UNSEEN)
    if isinstance(object, File):
        what = place(object.path or object.name, 40)
        if held.offset is not None:
            what += f" at byte {held.offset:,}"
    flags = [flag.removeprefix("O_").lower() for flag in held.flags if flag in ("O_NONBLOCK", "O_APPEND")]
    return " ".join([str(held.fd), ARROWS[held.mode], what, *(f"({flag})" for flag in flags)])


def pages(runs: tuple[tuple[int, PageKind], ...] | None) -> str:
    """A mapping's pages as a strip: `■` shared, `□` a private copy, `·` absent; counts when many."""
    if sum(number for number, kind in runs or ()) <= _PAGES:
        signs = {"shared": "■", "private": "□", "absent": "·"}
        return "".join(signs[kind] * number for number, kind in runs or ())
    totals: dict[str, int] = {}
    for number, kind in runs or ():
        totals[kind] = totals.get(kind, 0) + number
    return "pages: " + ", ".join(f"{number:,} {kind}" for kind, number in totals.items())
