"""The processes and threads under a conductor: who made whom, what they are called, and who has ended."""

from __future__ import annotations

from labkit.conductor import quiet
from labkit.conductor.limits import limit_of_program
from labkit.conductor.tasks import READY, Image, Led, Pending, Task, Witness
from labkit.kernel import peek, ptrace
from labkit.limits import Limit


class Family:
    """All processes of some programs, living and dead."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.processes: list[Led] = []
        """All there have been, in the order they began."""
        self.woken: list[Task] = []
        """Tasks whose call ended while another was led; whoever leads empties it."""
        self.died: list[Led] = []
        """Processes that have ended; whoever leads empties it."""
        self.signalled: list[tuple[Task, Pending]] = []
        """Signals that took effect without a turn: stops and continues."""
        self.limits: dict[Limit, None] = {}
        """What is hidden of them, or differs for them, because they are led."""
        self._forks: dict[int, int] = {}
        """How many processes each program has made."""

    def ready(self) -> list[Task]:
        """Tasks that could go on, in the order of their creation."""
        found = [t for t in self.tasks.values() if t.state in READY]
        return sorted(found, key=lambda t: t.key) if len(found) > 1 else found

    def sleeping(self) -> list[Task]:
        """Tasks proven to be asleep in a call."""
        return sorted((t for t in self.tasks.values() if t.state == "asleep"), key=lambda t: t.key)

    def tell(self, limit: Limit | None) -> None:
        """It is to be said with what is recorded."""
        if limit is not None:
            self.limits[limit] = None

    def _new_task(self, tid: int, process: Led) -> Task:
        process.threads += 1
        task = Task(tid, process, number=process.threads)
        process.tasks[tid] = task
        self.tasks[tid] = task
        return task

    def _foundling(self, tid: int) -> Task:
        """A new task whose first stop comes before its parent's fork event."""
        task = Task(tid, Led(tid, (), "?", Image()))
        self.tasks[tid] = task
        return task

    def _new_process(self, parent: Led, pid: int) -> Led:
        parent.children += 1
        root = parent.path[0]
        self._forks[root] = self._forks.get(root, 0) + 1
        word = "child" if self._forks[root] == 1 else f"child {self._forks[root]}"
        head = self._root_name(root)
        name = word if head == "parent" else f"{head}/{word}"
        path = (*parent.path, parent.children)
        process = Led(pid, path, name, parent.image.heir(), parent, quiet_fds=set(parent.quiet_fds))
        process.shown = dict(parent.shown)
        peek.keep_open(pid)
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
            caller.tid, caller.number, caller.state, process.threads = process.pid, 1, "running", 1
            process.tasks[process.pid] = self.tasks[process.pid] = caller
        caller.restarting, caller.interrupted = None, []
        _dismiss(caller)
        peek.keep_open(process.pid)
        quiet.prepare(process.image, process.pid, marked=False)
        self.tell(limit_of_program(process.image.program))
        process.shown.clear()
        process.borrows = False
        ptrace.resume_to_exit(process.pid)

    def _reaped(self, pid: int) -> None:
        for process in self.processes:
            process.reaped |= process.pid == pid and not process.alive

    def _ended(self, task: Task, status: int) -> None:
        process = task.process
        self._forget(task)
        if task.tid == process.pid:
            process.status = status
            peek.close(process.pid)
            for other in list(process.tasks.values()):
                self._forget(other)
            if process.path:
                self.died.append(process)

    def _forget(self, task: Task) -> None:
        self.tasks.pop(task.tid, None)
        task.process.tasks.pop(task.tid, None)
        if task in self.woken:
            self.woken.remove(task)
        _dismiss(task)

    def _witness(self, task: Task) -> Witness:
        if task.witness is None:
            task.witness = Witness(task.process.pid, task.tid)
        return task.witness


def _dismiss(task: Task) -> None:
    """Give back what its witness holds open."""
    if task.witness is not None:
        task.witness.close()
        task.witness = None
