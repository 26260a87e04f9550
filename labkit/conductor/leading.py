"""The conductor itself: begins programs, leads them call by call, waits until all stand still."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from labkit.conductor import quiet
from labkit.conductor.outputs import Outputs
from labkit.conductor.signals import handler_waits
from labkit.conductor.start import become, check_proc, filled_pipe, find_program, own_processor
from labkit.conductor.stops import TIMED_OUT, Stops
from labkit.conductor.tasks import READY, STANDING, Image, Led, Made, Task
from labkit.kernel import ptrace
from labkit.kernel.calls import OUTPUT_FD, SENDS_SIGNALS
from labkit.programs import Command


class Forks(Protocol):
    """What starts a program in this process's stead."""

    @property
    def is_warm(self) -> bool:
        """True: an interpreter that has started already. False: the new process executes the program."""

    def fork(self, fds: Sequence[int]) -> int:
        """The pid of a new process, which waits for a byte on the first of these."""


class Conductor(Stops):
    """Leads the processes of some programs; a context manager that ends them all."""

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        everything: bool = False,
        seconds: float = 30.0,
        stdin: str | None = None,
        outputs: Outputs | None = None,
        forks: Mapping[int, Forks] | None = None,
    ) -> None:
        super().__init__(outputs or Outputs(len(commands)), everything)
        self._own_outputs = outputs is None
        self.commands = commands
        self.forks = forks or {}
        """Programs (by number) that another starts for us."""
        self.stdin = stdin
        """What every program reads; None: nothing."""
        self.now = 0.0
        """The conductor's own time: it passes only in timed waits."""
        self.hurries = 0
        """How many timed waits may still be ended as if their time were over, without waiting for it."""
        self.ends_at = time.monotonic() + seconds
        self.most_output = 1_000_000
        """Bytes of output that are kept."""
        self.patience = 0.5
        """Seconds of processor time that a task may use without a call while others could go."""
        self._old_mask: set[int | signal.Signals] = set()
        self._old_cpus: set[int] = set()

    # --- beginning and ending ---------------------------------------------------------------------

    def __enter__(self) -> Conductor:
        check_proc()
        self._old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        self._old_cpus = os.sched_getaffinity(0)
        _stay_on({own_processor()})
        ptrace.adopt_orphans()
        try:
            for index, command in enumerate(self.commands):
                self._start(index, command)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._own_outputs:
            self.outputs.close()
        _stay_on(self._old_cpus)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)

    def kill(self) -> None:
        """End all that is still alive, and wait until it is gone."""
        while any(p.alive for p in self.processes):
            for process in self.processes:
                if process.alive:
                    _kill(process.pid)
            self._bury(*os.waitpid(-1, ptrace.WALL))
        while _zombies_left():
            pass
        for task in list(self.tasks.values()):
            self._forget(task)

    def _bury(self, pid: int, status: int) -> None:
        """A process that is being killed has stopped or ended."""
        if os.WIFSTOPPED(status):
            _kill(pid)
            _quietly(ptrace.resume, pid)
        elif pid in self.tasks:
            self._ended(self.tasks[pid], status)

    def _start(self, index: int, command: Command) -> None:
        path = find_program(command)
        go, come = os.pipe()
        given = filled_pipe(self.stdin) if self.stdin is not None else os.open(os.devnull, os.O_RDONLY)
        forks = self.forks.get(index)
        if forks is not None:
            pid = forks.fork([go, given, *self.outputs.slaves(index)])
        else:
            pid = os.fork()
            if pid == 0:
                become(command, path, go, given, self.outputs, index)
        os.close(go)
        os.close(given)
        image = Image(marked=False)
        name = command.name or ("parent" if len(self.commands) == 1 else os.path.basename(command.argv[0]))
        taken = sum(p.name.split(" ")[0] == name for p in self.processes)
        process = Led(pid, (index,), name if not taken else f"{name} {taken + 1}", image)
        self.processes.append(process)
        task = self._new_task(pid, process)
        ptrace.seize(pid)
        task.state = "running"
        task.quiet = True
        warm = forks is not None and forks.is_warm
        if warm:
            self._stand_new(task)
        os.write(come, b"!")
        os.close(come)
        if not warm:
            self._wait_exec(task)

    def _stand_new(self, task: Task) -> None:
        """A process from a warm interpreter, which waits to be let go, is made to stand as one just born."""
        quiet.prepare(task.process.image, task.tid, marked=True)
        task.state, task.quiet = "unborn", False
        ptrace.interrupt(task.tid)
        self._settle()

    def _wait_exec(self, task: Task) -> None:
        """Until the program stands at the end of the execve that began it."""
        while task.tid in self.tasks and not (task.state == "ready" and task.process.image.program):
            if task.state == "ready":
                self._let_go(task)
            elif task.state == "call":
                task.state = "running"
                ptrace.resume_to_exit(task.tid)
            self._settle()

    # --- leading ----------------------------------------------------------------------------------

    def ready(self) -> list[Task]:
        """Tasks that could go on, in the order of their creation."""
        found = [t for t in self.tasks.values() if t.state in READY]
        return sorted(found, key=lambda t: t.key) if len(found) > 1 else found

    def sleeping(self) -> list[Task]:
        """Tasks proven to be asleep in a call."""
        return sorted((t for t in self.tasks.values() if t.state == "asleep"), key=lambda t: t.key)

    def approach(self, task: Task) -> None:
        """Let a task go on until it stands before its next call that matters, or sleeps, or ends."""
        if task.state != "call":
            self._let_go(task)
            self._settle()

    def perform(self, task: Task) -> None:
        """Let a task make the call it stands before: it ends it, or is asleep in it."""
        assert task.state == "call"
        assert task.call is not None
        call = task.call
        self._note(task, call)
        self.on_call(task, call)
        task.signal_first = self.signals and handler_waits(task)
        task.state, task.counter, task.in_vfork = "running", None, False
        _quietly(ptrace.resume_to_exit, task.tid)
        self._settle(everybody=call.name in SENDS_SIGNALS)
        if task.stands("asleep"):
            call.waited = True

    def next_timed(self) -> Task | None:
        """The task whose timed wait ends first, in the conductor's time."""
        timed = [t for t in self.tasks.values() if t.state in ("asleep", "fired") and t.deadline is not None]
        return min(timed, key=lambda t: (t.deadline or 0.0, t.key), default=None)

    def fire(self, task: Task) -> None:
        """Let time pass until this task's timed wait has ended."""
        self.now = max(self.now, task.deadline or 0.0)
        if self.hurries and task.state == "asleep" and task.call and _can_be_hurried(task, task.call):
            self.hurries -= 1
            task.hurried, task.hurried_to = True, task.call.point
            _quietly(ptrace.interrupt, task.tid)
        while task.state == "asleep" and task.tid in self.tasks:
            self._wait_event()
        task.deadline = None
        if task.state == "fired":
            task.state = "ready"
            if not task.quiet:
                self.woken.append(task)

    def wait_outside(self) -> bool:
        """Wait for something to come from outside or from a timer; False when time is up."""
        while not self.ready() and self.tasks:
            if time.monotonic() > self.ends_at:
                return False
            self._wait_event()
        return True

    # --- standing still -----------------------------------------------------------------------------

    def _let_go(self, task: Task) -> None:
        pending, task.pending = task.pending, None
        if pending and pending.effect == "handler" and task.restarting is not None:
            task.interrupted, task.restarting = task.restarting, None
        task.state, task.call, task.counter, task.patience_ends = "running", None, None, None
        _quietly(ptrace.resume, task.tid, pending.number if pending else 0)

    def _settle(self, everybody: bool = False) -> None:
        """Until every task stands at a stop, has ended, or is proven asleep."""
        rounds, pauses = 0, 0
        running = any(t.state in ("running", "unborn") for t in self.tasks.values())
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
        if pauses == 0:
            os.sched_yield()
        else:
            _await_child(_PAUSES_S[min(pauses, len(_PAUSES_S)) - 1])

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
            task.state, task.counter = "running", None
            return False
        if everybody and task.state != "unborn":
            return self._witness(task).state() in "tT"
        return task.state != "unborn"

    def _fell_asleep(self, task: Task, at_once: bool) -> bool:
        """With `at_once`, only where it is certain without letting some time pass."""
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
                    task.patience_ends = None
                    _quietly(ptrace.interrupt, task.tid)

    def _wait_event(self) -> None:
        if time.monotonic() > self.ends_at:
            raise TimeUp
        if not self._take_event():
            self.outputs.drain()
            _await_child(0.02)
        self._settle()


_CAN_BE_HURRIED = TIMED_OUT.keys() | {"nanosleep", "clock_nanosleep", "poll", "ppoll"}
_CAN_BE_HURRIED |= {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
"""Timed waits that leave the same behind when they are interrupted as when their time is over, but for the
result. (`select` does not: its sets of descriptors would stay full.)"""
_PAUSES_S = (0.0003, 0.0005, 0.0008, 0.0012, 0.002)
"""How long to wait for a stop before asking whether a task sleeps: a stop ends the wait at once."""
_ENOUGH = 3
"""After giving way this often, also one is believed to sleep who might wait for a device. (Of the pauses,
the first may have ended at once, by a stop that had been seen already.)"""


def _can_be_hurried(task: Task, call: Made) -> bool:
    """Not if it comes back for the same point in time: it has looked at a clock, and was too early."""
    point, before = call.point, task.hurried_to
    again = point is not None and before is not None and abs(point - before) < 2e-5
    return call.name in _CAN_BE_HURRIED and not again


class TimeUp(Exception):
    """The time a recording may take is over."""


class TooMuchOutput(Exception):
    """More was written than is kept."""


def _stay_on(processors: set[int]) -> None:
    if os.sched_getaffinity(0) != processors:  # to ask costs little, to set it much
        os.sched_setaffinity(0, processors)


def _await_child(seconds: float) -> None:
    signal.sigtimedwait({signal.SIGCHLD}, seconds)


def _quietly(request: Callable[..., None], tid: int, *more: int) -> None:
    """Ask something of a task that may have been killed; its end is reported by waitpid."""
    try:  # noqa: SIM105 (it is done for every stop, and a context manager takes as long as the request)
        request(tid, *more)
    except ProcessLookupError:
        pass


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _zombies_left() -> bool:
    """Reap one process that has ended and came to us from its parent; False when there is none."""
    try:
        return os.waitpid(-1, ptrace.WALL | os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False
