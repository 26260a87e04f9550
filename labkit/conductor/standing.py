"""Waits until all that is led stands still, and is never wrong about who sleeps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from labkit.conductor.outputs import Outputs
from labkit.conductor.stops import Stops
from labkit.conductor.tasks import STANDING, Task
from labkit.kernel import ptrace
from labkit.kernel.calls import OUTPUT_FD


class Standing(Stops):
    """Lets time pass until each task stands at a stop, has ended, or is proven to be asleep."""

    def __init__(self, outputs: Outputs, everything: bool, seconds: float) -> None:
        super().__init__(outputs, everything)
        self.ends_at = time.monotonic() + seconds
        self.most_output = 1_000_000
        """Bytes of output that are kept."""
        self.patience = 0.5
        """Seconds of processor time that a task may use without a call while others could go."""

    def _settle(self, everybody: bool = False, running: bool = True) -> None:
        """Until every task stands at a stop, has ended, or is proven asleep. `running`: one was let go."""
        rounds, pauses = 0, 0
        while True:
            if running:
                self._give_way(pauses)
                pauses += 1
            while self._take_event():
                pauses = 0
                self._check_output()
                if not everybody and self._only_one_stands():
                    return
            if self._writes() and self.outputs.drain():
                continue
            busy = [t for t in self.tasks.values() if not self._still(t, everybody, pauses < _ENOUGH)]
            if busy:
                busy = [t for t in busy if not self._still(t, everybody, pauses < _ENOUGH)]
            if not busy and not self._take_event():
                return
            running = bool(busy)
            rounds += 1
            if rounds % 8 == 0:
                self._check_patience(busy)
                self.outputs.drain()

    def _give_way(self, pauses: int) -> None:
        """Let those that have been let go have the processor, which is ours, too."""
        if pauses > 0 or not _crowd.give_way():
            _await_child(_PAUSES_S[min(pauses, len(_PAUSES_S) - 1)])

    def _only_one_stands(self) -> bool:
        """There is one task alone, and it stands at a stop: nothing else can happen."""
        if len(self.tasks) != 1:
            return False
        (task,) = self.tasks.values()
        return task.state in STANDING

    def _writes(self) -> bool:
        """Somebody may be waiting for room in a terminal of ours."""
        return any(
            t.quiet and t.state == "running" and t.call is not None and t.call.name in OUTPUT_FD
            for t in self.tasks.values()
        )

    def _still(self, task: Task, everybody: bool, at_once: bool) -> bool:
        if task.state == "running":
            return self._fell_asleep(task, at_once)
        if task.state == "asleep":
            if self._witness(task).still_asleep(task.counter, task.in_vfork):
                return True
            if task.quiet and task.call is not None:
                task.call.waited = True  # or it would go on, when its stop is told of only after this look
            task.state, task.counter = "running", None
            return False
        if task.state == "ended":
            return len(task.process.tasks) > 1
        if everybody and task.state != "unborn":
            return self._witness(task).state() in "tT"
        return task.state != "unborn"

    def _fell_asleep(self, task: Task, at_once: bool) -> bool:
        """With `at_once`, only where it is certain without letting some time pass."""
        if task.call is not None and task.call.ends_at_once:
            return False  # seen asleep or not by chance, for less than a moment
        witness = self._witness(task)
        counter = witness.asleep(task.in_vfork)
        if at_once and counter is not None and not (task.in_vfork or witness.for_others()):
            return False
        if counter is not None and counter == task.counter:
            task.state = "asleep"
            if task.deadline is None and task.call is not None and task.call.seconds is not None:
                task.deadline = self.now + task.call.seconds
            return True
        task.counter = counter
        return False

    def _check_output(self) -> None:
        if self.outputs.size > self.most_output:
            raise TooMuchOutput

    def _check_patience(self, busy: list[Task]) -> None:
        """Who has computed for long makes room, if others could go. Processor time, not the clock, counts."""
        if time.monotonic() > self.ends_at:
            raise TimeUp
        for task in busy if self.ready() else ():
            if task.state == "running" and self._witness(task).state() == "R":
                used = self._witness(task).cpu_seconds()
                task.patience_ends = task.patience_ends or used + self.patience
                if used > task.patience_ends:
                    task.patience_ends, task.computes = None, True
                    quietly(ptrace.interrupt, task.tid)

    def _wait_event(self) -> None:
        if time.monotonic() > self.ends_at:
            raise TimeUp
        if not self._take_event():
            self.outputs.drain()
            _await_child(0.02)
        self._settle(running=any(t.state in ("running", "unborn") for t in self.tasks.values()))


class _Crowd:
    """Whether to give way to the one that was let go, or to sleep until there is something.

    To give way costs less, if nobody else wants the processor. If others do, they all come first: then it is
    not tried again for a while, and for longer each time.
    """

    def __init__(self) -> None:
        self._avoided, self._next = 0, 500

    def give_way(self) -> bool:
        """Give way once; False: it was better not to."""
        if self._avoided > 0:
            self._avoided -= 1
            return False
        began = time.perf_counter()
        os.sched_yield()
        if time.perf_counter() - began > _LONG_S:
            self._avoided = self._next
            self._next = min(2 * self._next, 100_000)
        return True


_LONG_S = 0.0005
_crowd = _Crowd()
_PAUSES_S = (0.0001, 0.0003, 0.0005, 0.0008, 0.0012, 0.002)
"""How long to wait for a stop before asking whether a task sleeps: a stop ends the wait at once."""
_ENOUGH = 3
"""After giving way this often, also one is believed to sleep who might wait for a device. (Of the pauses,
the first may have ended at once, by a stop that had been seen already.)"""


class TimeUp(Exception):
    """The time a recording may take is over."""


class TooMuchOutput(Exception):
    """More was written than is kept."""


def _await_child(seconds: float) -> None:
    signal.sigtimedwait({signal.SIGCHLD}, seconds)


def quietly(request: Callable[..., None], tid: int, *more: int) -> None:
    """Ask something of a task that may have been killed; its end is reported by waitpid."""
    try:  # noqa: SIM105 (it is done for every stop, and a context manager takes as long as the request)
        request(tid, *more)
    except ProcessLookupError:
        pass
