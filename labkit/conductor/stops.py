"""What each stop of a task means, and where it leaves the task."""

from __future__ import annotations

import os
from collections.abc import Callable

from labkit.conductor import quiet
from labkit.conductor.family import Family
from labkit.conductor.outputs import Outputs
from labkit.conductor.signals import STOPPING, effect, only_ignored
from labkit.conductor.tasks import Made, Pending, Task
from labkit.conductor.times import time_limit
from labkit.kernel import ptrace
from labkit.kernel.calls import KEEPS_DESCRIPTORS, SENDS_SIGNALS, TIMEOUTS
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, name_of

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
_EINTR = -4
_USES_SIGNALS = (SENDS_SIGNALS - {"exit", "exit_group"}) | {"rt_sigaction"}


class Stops(Family):
    """Takes in what waitpid tells, and keeps the tasks' states."""

    def __init__(self, outputs: Outputs, everything: bool) -> None:
        super().__init__()
        self.outputs = outputs
        self.everything = everything
        self.on_call: Callable[[Task, Made], None] = _nothing
        """Told of every call that matters, just before it happens…"""
        self.on_done: Callable[[Task, Made], None] = _nothing
        """…and just after."""
        self.armed = False
        """A timer is set somewhere, or somebody outside is spoken with: time may bring something."""
        self.signals = False
        """A handler was set up, or a signal sent: one may come to a task that stands before a call."""
        self.happened = 0
        """How many stops have told of something other than a call about to be made or just made."""
        self.foreign = False
        """A call in another architecture's numbering was seen."""

    def _take_event(self) -> bool:
        try:
            tid, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
        except ChildProcessError:
            return False
        if tid == 0:
            return False
        task = self.tasks.get(tid)
        if not os.WIFSTOPPED(status):
            if task is not None:
                self._ended(task, status)
        else:
            if task is None:
                task = self._foundling(tid)
            try:  # noqa: SIM105 (as in `leading._quietly`)
                self._stopped(task, os.WSTOPSIG(status), status >> 16)
            except ProcessLookupError:
                pass  # killed meanwhile: its end is reported next
        return True

    def _stopped(self, task: Task, number: int, event: int) -> None:
        if event == ptrace.EVENT_SECCOMP:
            self._at_call(task)
            self.happened += task.quiet
            return
        if number == ptrace.SYSCALL_STOP:
            self._at_exit(task)
            return
        self.happened += 1
        self.outputs.forget()
        if event in (ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE):
            self._made_child(task, event)
        elif event == ptrace.EVENT_EXEC:
            self._executed(task)
        elif event == ptrace.EVENT_VFORK_DONE:
            task.in_vfork = False
            ptrace.resume_to_exit(task.tid)
        elif event == ptrace.EVENT_EXIT:
            ptrace.resume(task.tid)
        elif event == ptrace.EVENT_STOP:
            self._halted(task, number)
        else:
            self._at_signal(task, number)

    def _at_call(self, task: Task) -> None:
        info = ptrace.call_entry(task.tid)
        if info is None:
            raise ProcessLookupError
        if info.arch != AUDIT_ARCH[MACHINE]:
            self.foreign = True
            ptrace.resume(task.tid)
            return
        call = Made(name_of(info.number), info.args)
        if call.name in TIMEOUTS:
            call.seconds, call.point = time_limit(task.process.pid, call)
        if call.name not in KEEPS_DESCRIPTORS:
            self.outputs.forget()
        if task.restarting is not None and call.name in (task.restarting.name, "restart_syscall"):
            task.call, task.restarting = task.restarting, None
            task.state = "running"
            ptrace.resume_to_exit(task.tid)
            return
        task.restarting = None
        task.call = call
        task.quiet = quiet.is_quiet(task, call, info.instruction, everything=self.everything)
        if call.name == "rt_sigreturn":
            task.quiet = True
        if not (task.process.image.begun or self.everything or call.name in ("execve", "execveat")):
            task.quiet = True
            ptrace.resume(task.tid)
        elif task.quiet or self._is_output(task, call):
            task.quiet = True
            self._note(task, call)
            ptrace.resume_to_exit(task.tid)
        else:
            task.state = "call"

    def _is_output(self, task: Task, call: Made) -> bool:
        fd = quiet.output_fd(call)
        return fd is not None and self.outputs.stream(task.process.pid, fd) is not None

    def _at_exit(self, task: Task) -> None:
        result = ptrace.call_result(task.tid)
        call = task.call
        if result is None or call is None:
            ptrace.resume(task.tid)
            return
        if task.signal_first and result in (_EINTR, *ptrace.RESTARTS):
            ptrace.make_again(task.tid)
            task.state, task.restarting = "running", None
            ptrace.resume(task.tid)
            return
        if task.hurried and result in (_EINTR, *ptrace.RESTARTS):
            result = TIMED_OUT.get(call.name, 0)
            ptrace.set_result(task.tid, result)
        task.hurried = False
        if result == _EINTR and call.name in _LOSES_RESTART and only_ignored(task):
            ptrace.restart_unless_handled(task.tid)
            result = -514
        if result in ptrace.RESTARTS:
            task.restarting = call
            task.state = "running"
            ptrace.resume(task.tid)
            return
        call.result = result
        if call.name == "rt_sigreturn":
            self._returned(task, result)
            return
        if call.name not in KEEPS_DESCRIPTORS:
            self.outputs.forget()
            quiet.after(task, call)
        if call.name == "wait4" and result > 0:
            self._reaped(result)
        fd = quiet.output_fd(call)
        if fd is not None and result > 0:
            self.outputs.take(task.process.pid, fd, result, task.who)
        if task.quiet and task.deadline is None:
            task.state = "running"
            self._after_quiet(task, call)
            return
        if not task.quiet:
            self.on_done(task, call)
        was_asleep = call.waited or task.state == "asleep"
        task.state = "ready"
        if was_asleep:
            call.waited = True
            if task.deadline is not None and result == TIMED_OUT.get(call.name, 0):
                task.state = "fired"
            else:
                task.deadline = None
                if not task.quiet:
                    self.woken.append(task)

    def _after_quiet(self, task: Task, call: Made) -> None:
        if call.name in ("execve", "execveat") and call.result == 0 and not task.process.image.begun:
            if len(task.process.path) == 1 and task.process.children == 0:
                task.state = "ready"
                return
        ptrace.resume(task.tid)

    def _returned(self, task: Task, result: int) -> None:
        """A handler has run; the call it interrupted is over, or is started again."""
        cut, task.interrupted = task.interrupted, None
        if cut is not None and result == _EINTR:
            cut.result, cut.waited = result, True
            task.call, task.state = cut, "ready"
            self.woken.append(task)
        else:
            task.restarting = cut
            task.state = "running"
            ptrace.resume(task.tid)

    def _made_child(self, task: Task, event: int) -> None:
        tid = ptrace.event_message(task.tid)
        known = self.tasks.pop(tid, None)
        if event == ptrace.EVENT_CLONE and os.path.exists(f"/proc/{task.process.pid}/task/{tid}"):
            child = self._new_task(tid, task.process)
            child.number = max(t.number for t in task.process.tasks.values() if t is not child) + 1
        else:
            child = self._new_task(tid, self._new_process(task.process, tid))
        if known is not None:
            child.witness = known.witness
            child.state = known.state if known.state == "new" else child.state
        child.born_by = task.tid
        task.in_vfork = event == ptrace.EVENT_VFORK
        ptrace.resume_to_exit(task.tid)

    def _halted(self, task: Task, number: int) -> None:
        if number in STOPPING:
            task.state = "stopped"
            ptrace.listen(task.tid)
        elif task.state == "unborn" or not task.process.path:
            task.state = "new"
        elif task.restarting is not None:
            task.state = "running"
            ptrace.resume(task.tid)
        else:
            task.state = "ready"

    def _at_signal(self, task: Task, number: int) -> None:
        info = ptrace.signal_info(task.tid)
        pending = Pending(number, info.sender, effect(task, number))
        if pending.effect == "ignored":
            task.state = "running"
            ptrace.resume(task.tid, number)
        elif pending.effect == "stops":
            self.signalled.append((task, pending))
            task.state = "running"
            ptrace.resume(task.tid, number)
        else:
            task.pending = pending
            task.state = "signal"

    def _note(self, task: Task, call: Made) -> None:
        if call.name in _USES_SIGNALS and not task.quiet:
            self.signals = True
        if call.name in ("alarm", "setitimer", "timer_settime", "timerfd_settime"):
            self.armed = True


def _nothing(task: Task, call: Made) -> None:
    """What is done where nobody asks to be told."""
