"""The same under somebody's hand: everything stands still until told who goes, and how far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from labkit.camera import Camera, Ending, OnFrame, Options
from labkit.conductor.tasks import Task
from labkit.errors import LabError
from labkit.film import Film, Written
from labkit.programs import Command
from labkit.scene import Scene

WORDS = ("step", "block", "run", "quit")
_MOST_IN_A_ROW = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand, and who could go next."""

    could_go: dict[str, str]
    """Who, and what would come next: `read(3)`, `goes on`, `its time is over`."""
    waiting: dict[str, str]
    """Who waits, and in which call."""
    frames: int
    scene: Scene = field(default_factory=Scene)


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: `step` (one call), `block` (until it waits or ends), `run` (all, to the end), `quit`."""

    do: str
    who: str | None = None
    """Who goes; None: who went before, or the first."""


def parse(line: str) -> Order:
    """`step`, `block child 2`, `run`, `quit`; an empty line is a step."""
    word, _, who = line.strip().partition(" ")
    if (word or "step") not in WORDS:
        raise LabError(f"{word!r} is none of {', '.join(WORDS)} (followed by who, where several could go).")
    return Order(word or "step", who.strip() or None)


def record_by_hand(
    commands: Sequence[Command],
    ask: Callable[[Standing], Order],
    options: Options | None = None,
    on_frame: OnFrame | None = None,
    on_written: Callable[[Written], None] | None = None,
) -> Film:
    """A film whose order is chosen on the way: `ask` is shown how things stand, and says what comes next."""
    camera = ByHand(commands, options or Options(seconds=3600.0), on_frame, ask)
    camera.on_written = on_written or camera.on_written
    return camera.record()


class ByHand(Camera):
    """A camera whose order is chosen on the way."""

    def __init__(
        self,
        commands: Sequence[Command],
        options: Options,
        on_frame: OnFrame | None,
        ask: Callable[[Standing], Order],
    ) -> None:
        super().__init__(commands, options, on_frame)
        self.ask = ask
        self.order = "that of a hand"
        self.last: str | None = None

    def lead(self) -> None:
        while self.conductor.tasks:
            self._approach_all()
            could_go = self._could_go()
            if could_go:
                self._obey(could_go)
            elif self.conductor.tasks:
                self.nobody_ready()

    def _approach_all(self) -> None:
        """Everybody comes to stand before the next call, or has computed for long without one."""
        while not_there := [t for t in self.conductor.ready() if t.stands("new", "ready") and not t.computes]:
            self.approach(not_there[0])

    def _could_go(self) -> dict[str, Task]:
        timed = self.conductor.next_timed()
        return {task.who: task for task in [*self.conductor.ready(), *([timed] if timed else [])]}

    def _obey(self, could_go: dict[str, Task]) -> None:
        standing = self._standing(could_go)
        with self.interrupts.at_rest():
            order = self.ask(standing)
        if order.do == "quit":
            raise Ending("It was ended by hand.")
        if order.do == "run":
            super().lead()
            return
        who = order.who or (self.last if self.last in could_go else next(iter(could_go)))
        if who not in could_go:
            return  # it cannot go now: whoever asks is shown again how things stand
        self.last = who
        self._go(could_go[who])
        for _ in range(_MOST_IN_A_ROW if order.do == "block" else 0):
            self._approach_all()
            task = self.conductor.tasks.get(could_go[who].tid)
            if task is None or not task.stands("call", "signal"):
                return
            self._go(task)

    def _go(self, task: Task) -> None:
        if task.stands("asleep", "fired"):
            self.conductor.fire(task)
            self.others()
        elif task.stands("signal", "ready"):
            self.approach(task)
        else:
            self.perform(task)
        self.check_bounds()

    def _standing(self, could_go: dict[str, Task]) -> Standing:
        return Standing(
            could_go={who: self._next(task) for who, task in could_go.items()},
            waiting={t.who: t.call.said if t.call else "…" for t in self.conductor.sleeping()},
            frames=len(self.frames),
            scene=self.look(),
        )

    def _next(self, task: Task) -> str:
        if task.state == "call" and task.call is not None:
            return self.decoder.before(task, task.call)
        if task.state == "signal":
            return "its signal handler runs"
        return "its time is over" if task.state in ("asleep", "fired") else "computes, without a call"
