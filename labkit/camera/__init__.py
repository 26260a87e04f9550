"""Makes a Film: leads programs call by call, and takes a Scene after each.

It must run in a process that has one thread and no other work: it becomes a tracer, takes SIGCHLD for
itself and stays on one processor. The command line is such a process; a notebook starts one
(`python -m labkit.camera`, see `labkit/magics/cameras.py`).
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from labkit.camera.interrupts import Interrupted, Interrupts
from labkit.camera.shortcut import Shortcut
from labkit.camera.turns import Turns
from labkit.conductor import Conductor, TimeUp, TooMuchOutput
from labkit.conductor.leftovers import Leftovers
from labkit.conductor.tasks import Led, Made, Pending, Task
from labkit.decode import Decoder
from labkit.decode.still import still_scene, why_stuck
from labkit.exploration import Exploration, Outcome
from labkit.explore.schedule import HURRIES, Notice, NotRepeatable, Run
from labkit.film import Exit, Film, Frame, ProgramLine, Written
from labkit.programs import Command
from labkit.scene import Limit, Scene
from labkit.words import count
from labkit.xray import XRay


@dataclass(frozen=True, slots=True)
class Options:
    """How a film is made, and when it ends at the latest."""

    turns: str = "parent-first"
    seconds: float = 30.0
    frames: int = 20_000
    processes: int = 100
    output_bytes: int = 1_000_000
    all_calls: bool = False
    scenes: bool = True
    stdin: str | None = None
    """What each program reads from its standard input."""
    slow: float = 0.0
    """Seconds to wait before each frame."""


OnFrame: TypeAlias = Callable[[Frame, Scene], None]
"""Told of each frame as it is made, with its scene."""


def record(
    commands: Sequence[Command],
    options: Options | None = None,
    on_frame: OnFrame | None = None,
) -> Film:
    """A film of these programs, run together, one process at a time."""
    return Camera(commands, options or Options(), on_frame).record()


def record_schedule(
    commands: Sequence[Command],
    schedule: Sequence[int],
    known: frozenset[Notice] = frozenset(),
    exhaustive: bool = False,
    options: Options | None = None,
) -> Film:
    """The film of one schedule that `explore` found."""
    camera = Camera(commands, options or Options(), None)
    camera.order = "that of the outcome"
    camera.conductor.hurries = HURRIES
    camera.schedule = Run(camera.conductor, schedule, known, exhaustive, lead=camera)
    return camera.record()


def replay(commands: Sequence[Command], found: Exploration, outcome: Outcome) -> Film:
    """The film of an outcome of `explore`: its schedule, played again."""
    return record_schedule(commands, outcome.schedule, found.known, found.exhaustive)


_NO_SCENE = Scene()
_ENDS = ("exit", "exit_group", "execve", "execveat")


class Ending(Exception):
    """The film ends here, for the reason given."""


class Camera:
    """Leads programs and keeps what it sees."""

    def __init__(self, commands: Sequence[Command], options: Options, on_frame: OnFrame | None) -> None:
        self.options = options
        self.on_frame = on_frame or (lambda frame, scene: None)
        self.on_written: Callable[[Written], None] = lambda written: None
        """Told of each piece of output as it comes."""
        self.turns = Turns(options.turns)
        self.conductor = Conductor(
            commands, everything=options.all_calls, seconds=options.seconds, stdin=options.stdin
        )
        self.conductor.most_output = options.output_bytes
        self.interrupts = Interrupts(self.conductor)
        self.decoder = Decoder(self._name_of)
        self.leftovers = Leftovers()
        self.conductor.on_call = self.leftovers.before
        self.conductor.on_done = self.leftovers.after
        self.frames: list[Frame] = []
        self.scenes: list[Scene] = []
        self.limits: list[Limit] = []
        self.written: list[Written] = []
        self.shortcut = Shortcut()
        self.places: dict[int, int] = {}
        """Where each scene stands in `scenes`, by its id."""
        self.place = 0
        """Where the scene of the last frame stands."""
        self.xray = XRay()
        self.xray.strangers = self.leftovers.strangers
        self.happened = -1
        """The conductor's count when the last scene was made."""
        self.deadlock = False
        self.cut = False
        """The programs did not end by themselves, and could not clear up."""
        self.schedule: Run | None = None
        """Choices made beforehand, where an outcome of `explore` is filmed."""
        self.order = f"ours ({options.turns})"
        """Whose the order is, where there was a choice."""
        self.chosen = 0
        """How often there was more than one to choose from."""

    def record(self) -> Film:
        """The film, to the programs' end or a bound."""
        with self.interrupts.taken():
            try:
                alive = self._led()
            except BaseException:
                self.leftovers.remove_objects()
                raise
            self._gather_output()
            film = self._film(alive)
            if self.cut:
                self.leftovers.remove_objects()
        return film

    def _led(self) -> list[Led]:
        """The programs, led to their end or a bound; those of them that were alive then."""
        conductor = self.conductor
        with conductor:
            self.programs = tuple(
                ProgramLine(p.name, shlex.join(c.argv))
                for p, c in zip(conductor.processes, conductor.commands, strict=True)
            )
            try:
                self.lead()
            except (TimeUp, Interrupted):
                self._end(self._why_up())
            except TooMuchOutput:
                self._end(f"It has written more than {self.options.output_bytes:,} bytes of output.")
            except Ending as ending:
                self._end(str(ending))
            except NotRepeatable as error:
                self._end(f"The program did not go the same way again: {error}.")
            self._gather_output()
            return [p for p in conductor.processes if p.alive]

    def _why_up(self) -> str:
        if self.interrupts.number is not None:
            return f"It was interrupted ({signal.Signals(self.interrupts.number).name})."
        return f"It was still running after {self.options.seconds:g} s."

    # --- leading -----------------------------------------------------------------------------------

    def lead(self) -> None:
        """To the end of all programs: by a schedule, or by turns."""
        if self.schedule is not None:
            self.schedule.run()
            if self.schedule.stuck:
                raise Ending(self._why_stuck())
            return
        last, turn_over = None, False
        while self.conductor.tasks:
            ready = self.conductor.ready()
            if not ready:
                self.nobody_ready()
                continue
            self.chosen += len(ready) > 1
            task = self.turns.choose(ready, last, turn_over)
            turn_over = self._turn(task)
            last = task
            self.check_bounds()

    def _turn(self, task: Task) -> bool:
        """One task goes on to its next call and makes it. True: its turn is over."""
        if task.state != "call":
            self.approach(task)
        if task.state != "call" or task.call is None:
            return task.state == "ready"
        call = task.call
        self.perform(task)
        return self.turns.ends_after(call)

    def approach(self, task: Task) -> None:
        """As `Conductor.approach`, with the frames that come of it."""
        if task.state == "signal":
            self._signal_frame(task, task.pending)
        self.conductor.approach(task)
        self.others()

    def perform(self, task: Task) -> None:
        """As `Conductor.perform`, with the frames that come of it."""
        conductor, call = self.conductor, task.call
        assert call is not None
        asked = call.said = self.decoder.before(task, call)
        if self.options.slow:
            with self.interrupts.at_rest():
                time.sleep(self.options.slow)
        who = task.who  # of one that executes a program, it will be another
        conductor.perform(task)
        if task.stands("asleep", "fired"):
            self._frame(task, call.name, f"{asked} … waits", None, blocked=True)
        elif call.result is not None:
            self._call_frame(task, call, who)
        elif call.name not in _ENDS and task.tid not in conductor.tasks:
            self._frame(task, call.name, asked, None, blocked=False)
        elif call.name == "exit" and task.process.alive:
            self._frame(task, None, "ends", None, blocked=False)
        self.others()

    def others(self) -> None:
        """Frames for all that followed for others: calls that ended, signals, ends."""
        conductor = self.conductor
        if not (conductor.died or conductor.woken or conductor.signalled):
            return
        died, conductor.died = conductor.died, []
        for process in sorted(died, key=lambda p: p.path):
            text = self.decoder.ended(process.status or 0)
            self._write(process.name, process.pid, None, text, None, False)
        signalled, conductor.signalled = conductor.signalled, []
        for other, pending in signalled:
            self._signal_frame(other, pending)
        woken = [t for t in conductor.woken if t.state != "stopped"]  # who is stopped sees nothing of it yet
        conductor.woken = [t for t in conductor.woken if t.state == "stopped"]
        for other in sorted(woken, key=lambda t: t.key):
            if other.call is not None and other.call.result is not None:
                self._call_frame(other, other.call)

    def nobody_ready(self) -> None:
        """Let time pass where that may bring something; else the film ends here."""
        conductor = self.conductor
        timed = conductor.next_timed()
        if timed is not None:
            conductor.fire(timed)
        elif conductor.armed or self._somebody_outside():
            if not conductor.wait_outside():
                raise TimeUp
        else:
            raise Ending(self._why_stuck())
        self.others()

    def _somebody_outside(self) -> bool:
        """Somebody who is not in the film might still end one of the waits."""
        scene = self.look()
        return bool(scene.processes) and not _deadlocked(scene)

    def _why_stuck(self) -> str:
        self.deadlock = True
        return why_stuck(self.xray, self.conductor)

    def check_bounds(self) -> None:
        """End the film where it has become too long."""
        if self.interrupts.number is not None:
            raise TimeUp
        if len(self.frames) >= self.options.frames:
            raise Ending(f"It has made {self.options.frames:,} frames, which is as many as are recorded.")
        most = self.options.processes
        if len(self.conductor.tasks) > most and sum(p.alive for p in self.conductor.processes) > most:
            raise Ending(f"It has more than {self.options.processes} processes at a time.")

    # --- frames --------------------------------------------------------------------------------------

    def _call_frame(self, task: Task, call: Made, who: str | None = None) -> None:
        text = self.decoder.after(task, call)
        alone = self.conductor.woken in ([], [task])
        made = call if alone and not call.waited else None
        self._write(who or task.who, task.process.pid, call.name, text, call.result, False, task, made)

    def _signal_frame(self, task: Task, pending: Pending | None) -> None:
        assert pending is not None
        text = self.decoder.signal(task, pending)
        self._frame(task, None, text, None, blocked=False)

    def _frame(self, task: Task, call: str | None, text: str, result: int | None, blocked: bool) -> None:
        self._write(task.who, task.process.pid, call, text, result, blocked)

    def _write(
        self,
        who: str,
        pid: int,
        call: str | None,
        text: str,
        result: int | None,
        blocked: bool,
        task: Task | None = None,
        made: Made | None = None,
    ) -> None:
        self._gather_output()
        scene = self._add_scene(self._next_scene(task, made))
        frame = Frame(len(self.frames), who, pid, call, f"{who}: {text}", result, blocked, scene)
        self.frames.append(frame)
        self.on_frame(frame, self.scenes[scene])

    def _next_scene(self, task: Task | None, made: Made | None) -> Scene:
        """The scene now: computed where it is certain, else looked at."""
        if not self.options.scenes:
            return _NO_SCENE
        happened, self.happened = self.happened, self.conductor.happened
        if task is not None and made is not None and self.scenes and happened == self.happened:
            known = self.shortcut.after_call(self.scenes[self.place], task, made)
            if known is not None:
                return known
        return self.look()

    def _add_scene(self, scene: Scene) -> int:
        """Its place. A scene that a shortcut gave again has the place it has had."""
        place = self.places.get(id(scene))
        if place is not None:
            self.place = place
        elif not self.scenes or self.scenes[self.place] != scene:
            self.place = self.places[id(scene)] = len(self.scenes)
            self.scenes.append(scene)
        return self.place

    def look(self) -> Scene:
        """The scene now."""
        return still_scene(self.xray, self.conductor)

    def _gather_output(self) -> None:
        outputs = self.conductor.outputs
        if not outputs.pieces:
            return
        pieces, outputs.pieces = outputs.pieces, []
        for piece in pieces:
            text = piece.data.decode("utf-8", "replace")
            self.written.append(Written(piece.who, piece.stream, text, len(self.frames)))
            self.on_written(self.written[-1])

    def _name_of(self, pid: int) -> str | None:
        task = self.conductor.tasks.get(pid)
        if task is not None:
            return task.who
        return next((p.name for p in reversed(self.conductor.processes) if p.pid == pid), None)

    # --- the end -------------------------------------------------------------------------------------

    def _end(self, because: str) -> None:
        self.cut = True
        self.limits.append(Limit("deadlock" if self.deadlock else "the end", because))

    def _film(self, alive: list[Led]) -> Film:
        if self.chosen:
            self.limits.append(
                Limit(
                    "the order",
                    f"Several processes could have gone next {count(self.chosen, 'time')}; "
                    f"the order here is {self.order}.",
                )
            )
        for name in self.turns.missed:
            self.limits.append(
                Limit("the order", f"{name} could not go when its turn came, and was passed over.")
            )
        self.limits += self.conductor.limits
        return Film(
            programs=self.programs,
            frames=tuple(self.frames),
            scenes=tuple(self.scenes),
            output=tuple(self.written),
            exits=tuple(_exit(p, p in alive) for p in self.conductor.processes),
            left_behind=tuple(self.leftovers.found()),
            limits=tuple(self.limits),
        )


def _exit(process: Led, was_alive: bool) -> Exit:
    if was_alive or process.status is None:
        return Exit(process.name, process.pid, None)
    status = process.status
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return Exit(process.name, process.pid, code)


def _deadlocked(scene: Scene) -> bool:
    stuck = {pid for deadlock in scene.deadlocks for pid in deadlock.processes}
    return {p.pid for p in scene.processes if p.state not in ("zombie", "dead")} <= stuck
