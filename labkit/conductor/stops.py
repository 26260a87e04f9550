"""What each stop of a task means, and where it leaves the task."""

from __future__ import annotations

import os
import signal

from labkit.conductor import quiet
from labkit.conductor.limits import FOREIGN
from labkit.conductor.returns import Returns
from labkit.conductor.signals import STOPPING, effect
from labkit.conductor.tasks import Made, Pending, Task
from labkit.conductor.times import time_limit
from labkit.kernel import ptrace
from labkit.kernel.calls import KEEPS_DESCRIPTORS, LOOKS, SENDS_SIGNALS, TIMEOUTS
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, name_of
from labkit.kernel.peek import words

_SENDS = ("sendmsg", "sendmmsg")
_ARMS = ("alarm", "setitimer", "timer_settime", "timerfd_settime")
_USES_SIGNALS = (SENDS_SIGNALS - {"exit", "exit_group"}) | {"rt_sigaction"}


class Stops(Returns):
    """Takes in what waitpid tells, and keeps the tasks' states."""

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
            if task.tid == task.process.pid and len(task.process.tasks) > 1:
                task.state = "ended"  # waitpid tells of it when the last thread has ended, too
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
            self.tell(FOREIGN)
            ptrace.resume(task.tid)
            return
        call = Made(name_of(info.number), info.args, stack=info.stack)
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
        elif call.name in LOOKS and not self.is_point(task, call):
            ptrace.resume(task.tid)
        elif call.name in LOOKS:
            task.quiet, task.state = False, "call"
        elif task.quiet or self._is_output(task, call):
            task.quiet = True
            self._note(task, call)
            ptrace.resume_to_exit(task.tid)
        else:
            task.state = "call"

    def _is_output(self, task: Task, call: Made) -> bool:
        fd = quiet.output_fd(call)
        return fd is not None and self.outputs.stream(task.tid, fd) is not None

    def _made_child(self, task: Task, event: int) -> None:
        tid = ptrace.event_message(task.tid)
        known = self.tasks.pop(tid, None)
        if event == ptrace.EVENT_CLONE and os.path.exists(f"/proc/{task.process.pid}/task/{tid}"):
            child = self._new_task(tid, task.process)
        else:
            child = self._new_task(tid, self._new_process(task.process, tid))
            child.process.borrows = event == ptrace.EVENT_VFORK
        if known is not None:
            child.witness = known.witness
            child.state = known.state if known.state == "new" else child.state
        child.born_by, child.unmask_next = task.tid, task.unmask_next
        task.in_vfork = event == ptrace.EVENT_VFORK
        ptrace.resume_to_exit(task.tid)

    def _halted(self, task: Task, number: int) -> None:
        if task.state == "stopped" and number not in STOPPING and task.tid == task.process.pid:
            sender = ptrace.pending_sender(task.tid, signal.SIGCONT)
            self.signalled.append((task, Pending(signal.SIGCONT, sender, "continues")))
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
        pending = Pending(number, info.sender, effect(task, number), info.value, info.address)
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
        self.sends |= call.name in _SENDS
        if call.name in _USES_SIGNALS and not task.quiet:
            self.signals |= call.name != "rt_sigaction" or _sets_handler(task, call)
        if call.name in _ARMS and (call.name != "alarm" or call.args[0]):
            self.armed = True


def _sets_handler(task: Task, call: Made) -> bool:
    """True for a function of the program's; not for SIG_DFL (0) or SIG_IGN (1)."""
    return words(task.process.pid, call.args[1], 1) not in ([], [0], [1])
