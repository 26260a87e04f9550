"""What the end of a call means: its result, or that a signal cut it short, or that its time is over."""

from __future__ import annotations

from collections.abc import Callable

from labkit.conductor import quiet
from labkit.conductor.family import Family
from labkit.conductor.limits import limit_of
from labkit.conductor.outputs import Outputs
from labkit.conductor.quiet import signed32
from labkit.conductor.signals import next_effect, only_ignored
from labkit.conductor.tasks import Effect, Made, Task
from labkit.kernel import ptrace
from labkit.kernel.calls import KEEPS_DESCRIPTORS, OUTPUT_FD
from labkit.kernel.numbers import number

_LOSES_RESTART = frozenset(
    [
        "semop",
        "semtimedop",
        "msgsnd",
        "msgrcv",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "rt_sigtimedwait",
    ]
)
"""Calls that fail with EINTR even when the signal that woke them is ignored."""
TIMED_OUT = {
    "semtimedop": -11,
    "rt_sigtimedwait": -11,
    "mq_timedsend": -110,
    "mq_timedreceive": -110,
    "futex": -110,
}
"""What these calls give when their time is over; others give 0."""
_EINTR, _AGAIN = -4, -514
_WAKES = (1, 10)
"""FUTEX_WAKE, FUTEX_WAKE_BITSET."""


class Returns(Family):
    """Keeps the tasks' states where a call has ended."""

    def __init__(self, outputs: Outputs, everything: bool) -> None:
        super().__init__()
        self.now = 0.0
        """The conductor's own time: it passes only in timed waits."""
        self.outputs = outputs
        self.everything = everything
        self.on_call: Callable[[Task, Made], None] = _nothing
        """Told of every call that matters, just before it happens…"""
        self.on_done: Callable[[Task, Made], None] = _nothing
        """…and just after."""
        self.is_point: Callable[[Task, Made], bool] = _never
        """Asked of every look at a path: do programs stand before it?"""
        self.armed = False
        """A timer is set somewhere, or somebody outside is spoken with: time may bring something."""
        self.sends = False
        """A call was made that can send descriptors to others."""
        self.signals = False
        """A handler was set up, or a signal sent: one may come to a task that stands before a call."""
        self.happened = 0
        """How many stops have told of something other than a call about to be made or just made."""

    def _at_exit(self, task: Task) -> None:
        result = ptrace.call_result(task.tid)
        call = task.call
        if result is None or call is None:
            ptrace.resume(task.tid)
            return
        first: Effect | None = None
        if result < 0 or task.hurried:
            result = _as_unled(task, call, result)
            first = _comes_first(task, result)
            if first == "handler":
                task.restarting = None if task.signal_first else call
                task.state = "running"
                ptrace.resume(task.tid)
                return
        call.result = result
        if call.name == "rt_sigreturn":
            self._returned(task, result)
            return
        self._keep_track(task, call, result)
        if first == "stops":
            self._cut_by_stop(task, call)
        else:
            self._done(task, call, result)

    def _keep_track(self, task: Task, call: Made, result: int) -> None:
        """Of descriptors, children, output and those whom it wakes."""
        name = call.name
        if name not in KEEPS_DESCRIPTORS:
            self.outputs.forget()
            quiet.after(task, call)
            self.tell(limit_of(call))
        if result > 0:
            if name in OUTPUT_FD:
                self.outputs.take(task.tid, signed32(call.args[OUTPUT_FD[name]]), result, task.who)
            elif name == "wait4":
                self._reaped(result)
        if name == "futex" and call.args[1] & 127 in _WAKES:
            self._rouse(task, call, result)
        if not task.quiet:
            self.on_done(task, call)

    def _rouse(self, task: Task, call: Made, woken: int) -> None:
        """Wake those whose time to wait on this word is over by the clock, but not in the conductor's time.

        They stand where the call has just ended, and see what they would have seen on a faster machine.
        (Python's threads wait for each other's lock for 5 ms at a time.)
        """
        for other in sorted(task.process.tasks.values(), key=lambda t: t.key):
            waited = other.call
            if woken >= call.args[2] or other.state != "fired" or waited is None:
                continue
            if waited.name == "futex" and waited.args[0] == call.args[0]:
                ptrace.set_result(other.tid, 0)
                waited.result, other.state, other.deadline = 0, "ready", None
                woken += 1
                if not other.quiet:
                    self.woken.append(other)

    def _done(self, task: Task, call: Made, result: int) -> None:
        """Who has waited stands; who has not, and made a call that nobody is told of, goes on."""
        if call.seconds is not None and _time_is_over(call, result):
            task.deadline = task.deadline or self.now + (call.seconds or 0.0)
            task.state, call.waited = "fired", True
            return
        was_asleep = call.waited or task.state == "asleep"
        if task.quiet and not was_asleep:
            task.state = "running"
            self._after_quiet(task, call)
            return
        task.state, call.waited, task.deadline = "ready", was_asleep, None
        if was_asleep and not task.quiet:
            self.woken.append(task)

    def _cut_by_stop(self, task: Task, call: Made) -> None:
        """It is stopped first; when it is continued, it sees that its call was cut short."""
        call.waited, task.deadline = True, None
        self.woken.append(task)
        task.state = "running"
        ptrace.resume(task.tid)

    def _after_quiet(self, task: Task, call: Made) -> None:
        if call.name in ("execve", "execveat") and call.result == 0 and not task.process.image.begun:
            if len(task.process.path) == 1 and task.process.children == 0:
                task.state = "ready"
                return
        ptrace.resume(task.tid)

    def _returned(self, task: Task, result: int) -> None:
        """A handler has run; the call it interrupted is over, or is started again."""
        cut = _returned_to(task)
        if cut is not None and result == _EINTR:
            cut.result, cut.waited = result, True
            task.call, task.state = cut, "ready"
            self.woken.append(task)
        else:
            task.restarting = cut
            task.state = "running"
            ptrace.resume(task.tid)


def _returned_to(task: Task) -> Made | None:
    """The interrupted call that a handler has come back to; not those that handlers have jumped out of."""
    if not task.interrupted:
        return None
    stack = ptrace.stack_pointer(task.tid)
    found = [at for at, cut in enumerate(task.interrupted) if cut.stack == stack]
    if not found:
        return None
    cut = task.interrupted[found[-1]]
    del task.interrupted[found[-1] :]
    return cut


def _as_unled(task: Task, call: Made, result: int) -> int:
    """The result that the program will see: with nobody watching, it would have been this one."""
    if task.signal_first:
        which = number(call.name)
        assert which is not None
        ptrace.set_call(task.tid, which)
        ptrace.make_again(task.tid)
        return _AGAIN
    cut = result == _EINTR or result in ptrace.RESTARTS
    if cut and task.hurried:
        result = TIMED_OUT.get(call.name, 0)
        ptrace.set_result(task.tid, result)
    task.hurried = False
    if result == _EINTR and call.name in _LOSES_RESTART and only_ignored(task):
        ptrace.restart_unless_handled(task.tid)
        return _AGAIN
    return result


def _comes_first(task: Task, result: int) -> Effect | None:
    """What a signal that cut a call short does before the program sees its result: a handler, or a stop."""
    if result in ptrace.RESTARTS:
        return "handler"
    return _next_effect(task) if result == _EINTR and not task.quiet else None


def _time_is_over(call: Made, result: int) -> bool:
    """It has waited for all of its time, whether or not it was seen asleep.

    A point on a clock may have been reached on the way to the call: nobody can know that, and so it counts.
    """
    wanted = bool(call.seconds) or call.point is not None
    return wanted and result == TIMED_OUT.get(call.name, 0)


def _next_effect(task: Task) -> Effect | None:
    """What the signals that wait for a task will do before its program sees that its call was cut short.

    None also where another thread might take the signal.
    """
    return next_effect(task) if len(task.process.tasks) == 1 else None


def _never(task: Task, call: Made) -> bool:
    return False


def _nothing(task: Task, call: Made) -> None:
    """What is done where nobody asks to be told."""
