"""The conductor itself: begins programs, leads them call by call, waits until all stand still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from labkit.conductor import quiet
from labkit.conductor.outputs import Outputs
from labkit.conductor.returns import TIMED_OUT
from labkit.conductor.signals import next_effect
from labkit.conductor.standing import Standing, TimeUp, quietly
from labkit.conductor.start import become, check_proc, filled_pipe, find_program, own_processor
from labkit.conductor.tasks import Image, Led, Made, Task
from labkit.errors import LabError
from labkit.kernel import ptrace
from labkit.kernel.calls import SENDS_SIGNALS
from labkit.programs import Command


class Forks(Protocol):
    """What starts a program in this process's stead."""

    @property
    def is_warm(self) -> bool:
        """True: an interpreter that has started already. False: the new process executes the program."""

    def fork(self, fds: Sequence[int]) -> int:
        """The pid of a new process, which waits for a byte on the first of these."""


class Conductor(Standing):
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
        super().__init__(outputs or Outputs(len(commands)), everything, seconds)
        self.seconds = seconds
        self._own_outputs = outputs is None
        self.commands = commands
        self.forks = forks or {}
        """Programs (by number) that another starts for us."""
        self.stdin = stdin
        """What every program reads; None: nothing."""
        self.hurries = 0
        """How many timed waits may still be ended as if their time were over, without waiting for it."""
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
        except TimeUp:
            self.__exit__()
            after = f"after {self.seconds:g} s; it was ended" if self.ends_at else "when it was interrupted"
            raise LabError(f"The program had not begun {after}.") from None
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
        """End all that is still alive, and wait until it is gone.

        An interrupt may have come just before a process was ours to wait for, or just after it was waited
        for. So who is gone is gone, whoever was told.
        """
        while living := [p for p in self.processes if p.alive]:
            for process in living:
                if not _kill(process.pid):
                    process.status = signal.SIGKILL
            pid, status = _happened()
            if pid:
                self._bury(pid, status)
            else:
                signal.sigtimedwait({signal.SIGCHLD}, 0.001)
        while _zombies_left():
            pass
        for task in list(self.tasks.values()):
            self._forget(task)

    def _bury(self, pid: int, status: int) -> None:
        """A process that is being killed has stopped or ended."""
        if os.WIFSTOPPED(status):
            _kill(pid)
            quietly(ptrace.resume, pid)
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
        task.signal_first = self.signals and len(task.process.tasks) == 1 and next_effect(task) is not None
        task.state, task.counter, task.in_vfork, task.waits = "running", None, False, None
        if task.signal_first:
            quietly(ptrace.set_call, task.tid, -1)
        quietly(ptrace.resume_to_exit, task.tid)
        self._settle(everybody=call.name in SENDS_SIGNALS)
        if task.stands("asleep"):
            call.waited = True

    def next_timed(self) -> Task | None:
        """The task whose timed wait ends first, in the conductor's time."""
        timed = [t for t in self.tasks.values() if t.state in ("asleep", "fired") and t.deadline is not None]
        return min(timed, key=lambda t: (t.deadline or 0.0, t.key), default=None)

    def fire(self, task: Task) -> None:
        """Let time pass until this task's timed wait has ended, or a timer or the like lets another go on."""
        began, others = time.monotonic(), {t.tid for t in self.ready()}
        hurry = self.hurries and not self.armed  # or a sleep would end before a timer that is shorter
        if hurry and task.state == "asleep" and task.call and _can_be_hurried(task, task.call):
            self.hurries -= 1
            task.hurried, task.hurried_to = True, task.call.point
            quietly(ptrace.interrupt, task.tid)
        while task.state == "asleep" and task.tid in self.tasks and others >= {t.tid for t in self.ready()}:
            self._wait_event()
        ends = task.deadline or self.now
        if task.state == "fired":
            self.now, task.deadline, task.state = max(self.now, ends), None, "ready"
            if not task.quiet:
                self.woken.append(task)
        else:
            self.now = max(self.now, min(self.now + time.monotonic() - began, ends))

    def wait_outside(self) -> bool:
        """Wait for something to come from outside or from a timer; False when time is up."""
        while not self.ready() and self.tasks:
            if time.monotonic() > self.ends_at:
                return False
            self._wait_event()
        return True

    def _let_go(self, task: Task) -> None:
        pending, task.pending = task.pending, None
        if pending and pending.effect == "handler" and task.restarting is not None:
            task.interrupted.append(task.restarting)
            task.restarting, task.deadline = None, None
        task.state, task.call, task.counter, task.patience_ends = "running", None, None, None
        task.computes = False
        quietly(ptrace.resume, task.tid, pending.number if pending else 0)


_CAN_BE_HURRIED = TIMED_OUT.keys() | {"nanosleep", "clock_nanosleep", "poll", "ppoll"}
_CAN_BE_HURRIED |= {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
"""Timed waits that leave the same behind when they are interrupted as when their time is over, but for the
result. (`select` does not: its sets of descriptors would stay full.)"""


def _can_be_hurried(task: Task, call: Made) -> bool:
    """Not if it comes back for the same point in time: it has looked at a clock, and was too early."""
    point, before = call.point, task.hurried_to
    again = point is not None and before is not None and abs(point - before) < 2e-5
    return call.name in _CAN_BE_HURRIED and not again


def _stay_on(processors: set[int]) -> None:
    if os.sched_getaffinity(0) != processors:  # to ask costs little, to set it much
        os.sched_setaffinity(0, processors)


def _kill(pid: int) -> bool:
    """False: it is gone, not even a zombie."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _zombies_left() -> bool:
    """Reap one process that has ended and came to us from its parent; False when there is none."""
    return _happened()[0] != 0


def _happened() -> tuple[int, int]:
    """What waitpid has to tell now; zeros when that is nothing."""
    try:
        return os.waitpid(-1, ptrace.WALL | os.WNOHANG)
    except ChildProcessError:
        return 0, 0
