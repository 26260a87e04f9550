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

import dataclasses
import os
import stat
import time
from collections.abc import Callable, Mapping

from labkit.errors import LabError
from labkit.kernel.fstatus import AnyStatus
from labkit.kernel.rights import capabilities
from labkit.look import (
    Held,
    Look,
    Numbers,
    descriptions,
    descriptors,
    parts,
    processes,
    signals,
    strangers,
    threads,
)
from labkit.look.family import Names
from labkit.look.recall import Recall
from labkit.scene import Descriptor, Other, Process, Scene, State

__all__ = ["XRay", "capabilities", "xray"]

MQUEUE_MAGIC = 0x19800202
MQUEUE_SIZE = 80
"""What every message queue says its size is (FILENT_SIZE in ipc/mqueue.c)."""
TRIES = 3
LONGEST_S = 0.1
"""So long a single picture waits for a moment in which all of it can be seen."""


class XRay:
    """Takes pictures in which names, ids and times stay the same from look to look."""

    def __init__(
        self,
        names: Mapping[int, str] | None = None,
        *,
        all_objects: bool = False,
        tracing_stop: State = "stopped",
    ) -> None:
        self.names: Mapping[int, str] = names if names is not None else {}
        """Root pid -> the program's name; may be changed between looks."""
        self.all_objects = all_objects
        self.tracing_stop: State = tracing_stop
        """What a process in a tracing stop is said to be: its tracer knows better than the kernel."""
        self.plumbing: Callable[[Held], bool] | None = None
        """Descriptors for which this is true are left out, and not even looked into."""
        self.childless: frozenset[int] = frozenset()
        """Processes whose descendants are not in the picture."""
        self.strangers: frozenset[tuple[str, int]] = frozenset()
        """System V objects (kind and id) that are in the picture only when somebody of it uses them."""
        self.started_by_us = False
        """Who started these programs is ours and holds nothing of theirs, even if it does not show that."""
        self.may_travel = True
        """May one of the picture have sent descriptors to somebody? Who has seen all they did knows."""
        self.clocks = True
        """Say how long each sleep has lasted: then a picture is never like the one before."""
        self._numbers = Numbers()
        self._names = Names(self.names)
        self._recall = Recall()
        self._proven: dict[tuple[int, ...], tuple[bytes | None, ...]] = {}
        """Deadlocks that were looked at a second time, with care."""
        self._in_flight = False
        """Did the last look meet a descriptor on its way through a socket?"""
        self.put_off = False
        """Did the last look leave out something that the next may show?"""

    def close(self) -> None:
        """Give back the files that are kept open for the next look."""
        self._recall.files.close()

    def __enter__(self) -> XRay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self, *pids: int) -> Scene:
        """One picture of these processes, all their descendants, and what they share."""
        self._names.programs = self.names
        scene = last = self._judged(pids, careful=False)
        for _ in range(TRIES):
            if not scene.deadlocks or self._marks(scene) == self._proven:
                return scene
            last = self._judged(pids, careful=True)
            if _same_knots(last, scene) and self._still_asleep(last):
                self._proven = self._marks(last)
                return last
            if last.deadlocks or not self._in_flight:
                scene = last  # else something was just being passed somewhere, and will have arrived
        return dataclasses.replace(last, deadlocks=())

    def _marks(self, scene: Scene) -> dict[tuple[int, ...], tuple[bytes | None, ...]]:
        """Each knot, and how often its threads had run: the same marks are the same sleep."""
        processes = {process.pid: process for process in scene.processes}
        return {
            deadlock.processes: tuple(
                threads.mark(self._recall, thread.tid)
                for pid in deadlock.processes
                for thread in processes[pid].threads
            )
            for deadlock in scene.deadlocks
        }

    def _judged(self, pids: tuple[int, ...], careful: bool) -> Scene:
        from labkit.waits import judge

        look = Look(self._numbers, self.all_objects, self._recall)
        look.tracing_stop, look.clocks = self.tracing_stop, self.clocks
        look.plumbing, look.childless = self.plumbing, self.childless
        look.started_by_us, look.strangers = self.started_by_us, self.strangers
        look.outside.fresh, look.outside.may_travel = careful, self.may_travel
        try:
            return judge(_taken(look, pids, self._names))
        finally:
            self.put_off = look.put_off
            self._in_flight = look.outside.in_flight_seen
            look.close()
            self._recall.tidy(set(look.seen), {tid for seen in look.seen.values() for tid in seen.threads})

    def _still_asleep(self, scene: Scene) -> bool:
        """Has nobody who is said to be stuck run since the picture was taken?"""
        stuck = {pid for deadlock in scene.deadlocks for pid in deadlock.processes}
        return all(
            threads.has_not_run(self._recall, process.pid, thread.tid)
            for process in scene.processes
            if process.pid in stuck
            for thread in process.threads
            if thread.state == "sleeping"
        )


def _same_knots(one: Scene, other: Scene) -> bool:
    return [d.processes for d in one.deadlocks] == [d.processes for d in other.deadlocks]


def xray(*pids: int, names: Mapping[int, str] | None = None, all: bool = False) -> Scene:
    """One picture of these processes, all their descendants, and what they share."""
    if not pids:
        raise LabError("Which processes? Give at least one pid.")
    with _Single(names, all_objects=all) as camera:
        until = time.monotonic() + LONGEST_S
        scene = camera.look(*pids)
        while camera.put_off and time.monotonic() < until:
            scene = camera.look(*pids)
    missing = [str(pid) for pid in pids if scene.process(pid) is None and not _is_thread(pid)]
    if missing:
        raise LabError(f"There is no process {' or '.join(missing)}.")
    return scene


_parsed_before: list[Recall] = []
"""What single pictures have parsed already: in use by one of them, or here."""


class _Single(XRay):
    """For one picture: nothing but what was parsed is remembered from the one before."""

    def __enter__(self) -> XRay:
        self._recall = _parsed_before.pop() if _parsed_before else Recall(single=True)
        return self

    def __exit__(self, *_: object) -> None:
        if not _parsed_before:
            _parsed_before.append(self._recall)


def _is_thread(pid: int) -> bool:
    return Recall().leader(pid) != pid


# --- the strokes ------------------------------------------------------------------------------------


def _taken(look: Look, pids: tuple[int, ...], names: Names) -> Scene:
    processes.find(look, pids, names)
    descriptors.read(look)
    _describe(look)
    descriptions.number(look)
    threads.read(look)
    for sort in parts.SORTS:
        finish = parts.find(sort, "objects") if sort != "sockets" or parts.loaded(sort) else None
        if finish:
            finish(look)
    strangers.complete(look)
    tables = descriptors.describe_all(look)
    return Scene(
        processes=tuple([_process(look, pid, tables) for pid in look.seen]),
        objects=tuple(look.objects.values()),
        limits=look.all_limits(),
    )


def sort_of(look: Look, held: Held) -> str:
    """The module of `labkit.look` that describes what this descriptor is open on."""
    link = held.link
    if link.startswith(b"pipe:["):
        return "pipes"
    if link.startswith(b"socket:["):
        return "sockets"
    if held.stat is not None and stat.S_ISFIFO(held.stat.st_mode):
        return "pipes"
    if link.startswith((b"/memfd:", b"/dev/shm/")):
        return "memory"
    if held.stat is not None and _may_be_a_queue(held.stat) and look.filesystem(held) == MQUEUE_MAGIC:
        return "posix"
    return "files"


def _may_be_a_queue(found: AnyStatus) -> bool:
    """To ask for its filesystem could mean to wait for a dead server: it is done for few."""
    return stat.S_ISREG(found.st_mode) and os.major(found.st_dev) == 0 and found.st_size == MQUEUE_SIZE


def _describe(look: Look) -> None:
    held: dict[str, list[Held]] = {sort: [] for sort in parts.SORTS}
    for rows in look.held.values():
        for row in rows or ():
            held[sort_of(look, row)].append(row)
    for sort in parts.SORTS:
        if held[sort]:
            (parts.find(sort, "descriptors") or _plain)(look, held[sort])


def _plain(look: Look, held: list[Held]) -> None:
    for row in held:
        id = look.reach("other", row.link)
        look.place(row, id)
        look.add(Other(id=id, kind="other", name=processes.words(row.link)))


def _process(look: Look, pid: int, tables: Mapping[int, tuple[Descriptor, ...] | None]) -> Process:
    seen = look.seen[pid]
    all_threads = look.threads[pid]
    main = next((thread for thread in all_threads if thread.tid == pid), None)
    state = main.state if main else processes.STATES.get(seen.stat.state, "sleeping")
    if state in ("zombie", "dead") and not seen.ended:
        states = {thread.state for thread in all_threads if thread.tid != pid}
        state = next((word for word in ("running", "sleeping", "stopped") if word in states), state)
    return Process(
        pid=pid,
        ppid=seen.stat.ppid,
        name=seen.name,
        command=seen.command,
        state=state,
        exit=processes.ended(seen.stat) if seen.ended else None,
        threads=all_threads,
        blocked=main.blocked if main else None,
        descriptors=tables.get(pid),
        mappings=look.mappings.get(pid, ()),
        signals=signals.describe(seen.status),
    )
