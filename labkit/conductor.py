"""Leads programs so that one process runs at a time, and knows when each is asleep.

A conductor seizes the programs it starts and all their descendants, and stops each before every call
that matters. Who asks decides who goes next:

    conductor.ready()       tasks that could go on
    conductor.approach(t)   t goes on to its next call that matters (or a signal, or its end)
    conductor.perform(t)    t makes that call; whoever this wakes stands at the end of its own call

After both, everything stands still: each task is at a stop, or proven to be asleep. Everything is
pinned to one processor, so that whom a call wakes is seen awake at once.

It lives in a process of its own with one thread (a tracer is a thread), and with it die all it leads.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

from labkit import quiet
from labkit.errors import LabError
from labkit.kernel import ptrace
from labkit.kernel.calls import CALLS, SENDS_SIGNALS
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, name_of
from labkit.outputs import Outputs
from labkit.programs import Command
from labkit.tasks import READY, Image, Led, Made, Pending, Task, Witness
from labkit.times import time_limit

TRACED = frozenset({*CALLS, *quiet.ASKED})
_STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_IGNORED_BY_DEFAULT = (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT)
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
_TIMED_OUT = {
    "semtimedop": -11,
    "rt_sigtimedwait": -11,
    "mq_timedsend": -110,
    "mq_timedreceive": -110,
    "futex": -110,
}
_EINTR = -4
_FILTER = ptrace.filter_program(TRACED) if MACHINE in AUDIT_ARCH else b""
_THREAD = 0x00010000


class Conductor:
    """Leads the processes of some programs; a context manager that ends them all."""

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        everything: bool = False,
        seconds: float = 30.0,
        stdin: str | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        self.commands = commands
        self.everything = everything
        self.stdin = stdin
        """What every program reads; None: nothing."""
        self.tasks: dict[int, Task] = {}
        self.processes: list[Led] = []
        """All there have been, in the order they began."""
        self.woken: list[Task] = []
        """Tasks whose call ended while another was led; whoever leads empties it."""
        self.died: list[Led] = []
        """Processes that have ended; whoever leads empties it."""
        self.signalled: list[tuple[Task, Pending]] = []
        """Signals that took effect without a turn: stops and continues."""
        self.outputs = outputs or Outputs(len(commands))
        self._own_outputs = outputs is None
        self.on_call: Callable[[Task, Made], None] = _nothing
        """Told of every call that matters, just before it happens…"""
        self.on_done: Callable[[Task, Made], None] = _nothing
        """…and just after."""
        self.now = 0.0
        """The conductor's own time: it passes only in timed waits."""
        self.armed = False
        """A timer is set somewhere, or somebody outside is spoken with: time may bring something."""
        self.foreign = False
        """A call in another architecture's numbering was seen."""
        self.ends_at = time.monotonic() + seconds
        self.patience = 0.5
        """Seconds that a task may compute without a call while others could go."""
        self._named: dict[int, int] = {}
        self._old_mask: set[signal.Signals] = set()
        self._old_cpus: set[int] = set()
        self._adopted: dict[int, int] = {}

    # --- beginning and ending ---------------------------------------------------------------------

    def __enter__(self) -> Conductor:
        _check_proc()
        self._old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        self._old_cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {_processor(self._old_cpus)})
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
        os.sched_setaffinity(0, self._old_cpus)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)

    def kill(self) -> None:
        """End all that is still alive, and wait until it is gone."""
        while True:
            for process in self.processes:
                if process.alive:
                    _kill(process.pid)
            try:
                pid, status = os.waitpid(-1, ptrace.WALL)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                _kill(pid)
                _quietly(ptrace.resume, pid)
            elif pid in self.tasks:
                self._ended(self.tasks[pid], status)
        for task in list(self.tasks.values()):
            self._forget(task)

    def _start(self, index: int, command: Command) -> None:
        path = find_program(command)
        go, come = os.pipe()
        given = _filled_pipe(self.stdin) if self.stdin is not None else os.open(os.devnull, os.O_RDONLY)
        pid = os.fork()
        if pid == 0:
            self._become(index, command, path, go, given)
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
        os.write(come, b"!")
        os.close(come)
        self._wait_exec(task)

    def _become(self, index: int, command: Command, path: str, go: int, given: int) -> None:
        """In the child: wait to be seized, then become the program."""
        try:
            ptrace.die_with_parent()
            os.setsid()
            os.read(go, 1)
            os.dup2(given, 0)
            self.outputs.attach(index)
            os.closerange(3, 1 << 20)
            os.chdir(command.cwd or os.curdir)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            ptrace.fix_addresses()
            ptrace.install_filter(_FILTER)
            os.execve(path, command.argv, dict(command.env) if command.env else os.environ)
        except OSError as error:
            os.write(2, f"{command.argv[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _wait_exec(self, task: Task) -> None:
        """Until the program stands at the end of the execve that began it."""
        while task.tid in self.tasks and not (task.state == "ready" and task.process.image.program):
            if task.state == "ready":
                self._let_go(task)
            elif task.state == "call":
                task.state = "running"
                ptrace.resume_to_exit(task.tid)
            self._settle()

    def _new_task(self, tid: int, process: Led) -> Task:
        task = Task(tid, process, number=len(process.tasks) + 1)
        process.tasks[tid] = task
        self.tasks[tid] = task
        return task

    # --- leading ----------------------------------------------------------------------------------

    def ready(self) -> list[Task]:
        """Tasks that could go on, in the order of their creation."""
        return sorted((t for t in self.tasks.values() if t.state in READY), key=lambda t: t.key)

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
        assert task.state == "call" and task.call is not None
        call = task.call
        self._note(task, call)
        self.on_call(task, call)
        task.state, task.counter, task.in_vfork = "running", None, False
        _quietly(ptrace.resume_to_exit, task.tid)
        self._settle(everybody=call.name in SENDS_SIGNALS)
        if task.state == "asleep":
            call.waited = True
            task.deadline = self._deadline(task, call)

    def next_timed(self) -> Task | None:
        """The task whose timed wait ends first, in the conductor's time."""
        timed = [t for t in self.tasks.values() if t.state in ("asleep", "fired") and t.deadline is not None]
        return min(timed, key=lambda t: (t.deadline or 0.0, t.key), default=None)

    def fire(self, task: Task) -> None:
        """Let time pass until this task's timed wait has ended."""
        self.now = max(self.now, task.deadline or 0.0)
        while task.state == "asleep" and task.tid in self.tasks:
            self._wait_event()
        task.deadline = None
        if task.state == "fired":
            task.state = "ready"
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
        task.state, task.call, task.counter = "running", None, None
        _quietly(ptrace.resume, task.tid, pending.number if pending else 0)

    def _settle(self, everybody: bool = False) -> None:
        """Until every task stands at a stop, has ended, or is proven asleep."""
        began, tries = 0.0, 0
        while True:
            while self._take_event():
                pass
            busy = [t for t in self.tasks.values() if not self._still(t, everybody)]
            if not busy:
                if not self._take_event():
                    return
                continue
            tries += 1
            if tries < 3:
                os.sched_yield()
                continue
            began = began or time.monotonic()
            self._check_patience(busy, began)
            self.outputs.drain()
            _await_child(0.0001 if tries < 20 else 0.002)

    def _still(self, task: Task, everybody: bool) -> bool:
        if task.state == "running":
            return self._fell_asleep(task)
        if task.state == "asleep":
            if self._witness(task).still_asleep(task.counter, task.in_vfork):
                return True
            task.state, task.counter = "running", None
            return False
        if everybody and task.state != "unborn":
            return self._witness(task).state() in "tT"
        return task.state != "unborn"

    def _fell_asleep(self, task: Task) -> bool:
        counter = self._witness(task).asleep(task.in_vfork)
        if counter is not None and counter == task.counter:
            task.state = "asleep"
            return True
        task.counter = counter
        return False

    def _witness(self, task: Task) -> Witness:
        if task.witness is None:
            task.witness = Witness(task.process.pid, task.tid)
        return task.witness

    def _check_patience(self, busy: list[Task], began: float) -> None:
        now = time.monotonic()
        if now > self.ends_at:
            raise TimeUp
        if now - began > self.patience and self.ready():
            for task in busy:
                if task.state == "running" and self._witness(task).state() == "R":
                    _quietly(ptrace.interrupt, task.tid)

    def _wait_event(self) -> None:
        if time.monotonic() > self.ends_at:
            raise TimeUp
        if not self._take_event():
            self.outputs.drain()
            _await_child(0.02)
        self._settle()

    # --- events -------------------------------------------------------------------------------------

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
            try:
                self._stopped(task, os.WSTOPSIG(status), status >> 16)
            except ProcessLookupError:
                pass  # it was killed meanwhile; its end is reported next
        return True

    def _foundling(self, tid: int) -> Task:
        """A new task whose first stop comes before its parent's fork event."""
        task = Task(tid, Led(tid, (), "?", Image()))
        self.tasks[tid] = task
        return task

    def _stopped(self, task: Task, number: int, event: int) -> None:
        if event == ptrace.EVENT_SECCOMP:
            self._at_call(task)
        elif number == ptrace.SYSCALL_STOP:
            self._at_exit(task)
        elif event in (ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE):
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
            return ptrace.resume(task.tid)
        call = Made(name_of(info.number), info.args)
        if task.restarting is not None and call.name in (task.restarting.name, "restart_syscall"):
            task.call, task.restarting = task.restarting, None
            task.state = "running"
            return ptrace.resume_to_exit(task.tid)
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
            return ptrace.resume(task.tid)
        if result == _EINTR and call.name in _LOSES_RESTART and self._only_ignored(task):
            ptrace.restart_unless_handled(task.tid)
            result = -514
        if result in ptrace.RESTARTS:
            task.restarting = call
            task.state = "running"
            return ptrace.resume(task.tid)
        call.result = result
        if call.name == "rt_sigreturn":
            return self._returned(task, result)
        quiet.after(task, call)
        if call.name == "wait4" and result > 0:
            self._reaped(result)
        fd = quiet.output_fd(call)
        if fd is not None and result > 0:
            self.outputs.take(task.process.pid, fd, result, task.who)
        if task.quiet:
            task.state = "running"
            return self._after_quiet(task, call)
        self.on_done(task, call)
        was_asleep = call.waited or task.state == "asleep"
        task.state = "ready"
        if was_asleep:
            call.waited = True
            if task.deadline is not None and result == _TIMED_OUT.get(call.name, 0):
                task.state = "fired"
            else:
                task.deadline = None
                self.woken.append(task)

    def _reaped(self, pid: int) -> None:
        for process in self.processes:
            process.reaped |= process.pid == pid and not process.alive

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
        group = _thread_group(tid)
        known = self.tasks.pop(tid, None)
        if group == task.process.pid and tid != group:
            child = self._new_task(tid, task.process)
            child.number = max(t.number for t in task.process.tasks.values() if t is not child) + 1
        else:
            child = self._new_task(tid, self._new_process(task.process, tid))
        if known is not None and known.state == "new":
            child.state = "new"
        child.born_by = task.tid
        task.in_vfork = event == ptrace.EVENT_VFORK
        ptrace.resume_to_exit(task.tid)

    def _new_process(self, parent: Led, pid: int) -> Led:
        parent.children += 1
        root = parent.path[0]
        self._named[root] = self._named.get(root, 0) + 1
        word = "child" if self._named[root] == 1 else f"child {self._named[root]}"
        head = self._root_name(root)
        name = word if head == "parent" else f"{head}/{word}"
        path = (*parent.path, parent.children)
        process = Led(pid, path, name, parent.image.heir(), parent, quiet_fds=set(parent.quiet_fds))
        process.shown = dict(parent.shown)
        self.processes.append(process)
        return process

    def _root_name(self, root: int) -> str:
        return next(p.name for p in self.processes if p.path == (root,))

    def _executed(self, task: Task) -> None:
        """All other threads are gone, and whoever called execve has the process's own number."""
        process = task.process
        former = ptrace.event_message(task.tid)
        caller = process.tasks.get(former, task)
        for other in list(process.tasks.values()):
            if other is not caller:
                self._forget(other)
        if caller.tid != process.pid:
            self._forget(caller)
            caller.tid, caller.number, caller.state = process.pid, 1, "running"
            process.tasks[process.pid] = self.tasks[process.pid] = caller
        caller.witness = None
        quiet.prepare(process.image, process.pid, marked=False)
        process.shown.clear()
        ptrace.resume_to_exit(process.pid)

    def _halted(self, task: Task, number: int) -> None:
        if number in _STOPPING:
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
        pending = Pending(number, info.sender, self._effect(task, number))
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

    def _effect(self, task: Task, number: int) -> str:
        masks = _signal_masks(task.process.pid, task.tid)
        bit = 1 << (number - 1)
        if masks["SigCgt"] & bit:
            return "handler"
        if masks["SigIgn"] & bit or number in _IGNORED_BY_DEFAULT:
            return "ignored"
        return "stops" if number in _STOPPING else "ends"

    def _only_ignored(self, task: Task) -> bool:
        """Every signal that waits to be delivered is one that the program ignores."""
        masks = _signal_masks(task.process.pid, task.tid)
        pending = (masks["SigPnd"] | masks["ShdPnd"]) & ~masks["SigBlk"]
        numbers = [n for n in range(1, 65) if pending >> (n - 1) & 1]
        return bool(numbers) and all(self._effect(task, n) == "ignored" for n in numbers)

    def _ended(self, task: Task, status: int) -> None:
        process = task.process
        self._forget(task)
        if task.tid == process.pid:
            process.status = status
            for other in list(process.tasks.values()):
                self._forget(other)
            if process.path:
                self.died.append(process)

    def _forget(self, task: Task) -> None:
        self.tasks.pop(task.tid, None)
        task.process.tasks.pop(task.tid, None)
        if task in self.woken:
            self.woken.remove(task)
        if task.witness is not None:
            task.witness.close()
            task.witness = None

    # --- time ---------------------------------------------------------------------------------------

    def _note(self, task: Task, call: Made) -> None:
        if call.name in ("alarm", "setitimer", "timer_settime", "timerfd_settime"):
            self.armed = True

    def _deadline(self, task: Task, call: Made) -> float | None:
        """When a call that sleeps will end by itself; None when it has no time limit."""
        seconds = time_limit(task.process.pid, call)
        return None if seconds is None else self.now + seconds


class TimeUp(Exception):
    """The time a recording may take is over."""


def find_program(command: Command) -> str:
    """The path of a command's program; a sentence when there is none."""
    import shutil

    path = (command.env or os.environ).get("PATH", os.defpath)
    name = command.argv[0]
    where = os.path.join(command.cwd or os.curdir, name) if os.sep in name else name
    found = shutil.which(where, path=path)
    if found is None:
        raise LabError(f"There is no program {name!r} that could be run here.")
    return os.path.abspath(found)


def _check_proc() -> None:
    if os.path.realpath("/proc/self") != f"/proc/{os.getpid()}":
        raise LabError("The /proc here belongs to another PID namespace, so processes can't be followed.")
    if MACHINE not in AUDIT_ARCH:
        raise LabError(f"Films can be made on x86-64 and arm64, and this machine is {MACHINE}.")


def _processor(allowed: set[int]) -> int:
    return sorted(allowed)[os.getpid() % len(allowed)]


def _nothing(task: Task, call: Made) -> None:
    """What is done where nobody asks to be told."""


def _await_child(seconds: float) -> None:
    signal.sigtimedwait({signal.SIGCHLD}, seconds)


def _quietly(request: object, tid: int, *more: int) -> None:
    """Ask something of a task that may have been killed; its end is reported by waitpid."""
    try:
        request(tid, *more)  # type: ignore[operator]
    except ProcessLookupError:
        pass


def _filled_pipe(text: str) -> int:
    """The end to read of a pipe that holds `text`, and ends after it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = text.encode()
    try:
        if os.write(writing, data) < len(data):
            raise BlockingIOError
    except BlockingIOError:
        os.close(reading)
        raise LabError("The input of a program may have 65,536 bytes at most here.") from None
    finally:
        os.close(writing)
    return reading


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _thread_group(tid: int) -> int:
    with open(f"/proc/{tid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ProcessLookupError(tid)


def _signal_masks(pid: int, tid: int) -> dict[str, int]:
    names = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
    try:
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return dict.fromkeys(names, 0)
    return {name: int(fields[name], 16) for name in names}
