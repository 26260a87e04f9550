"""A scene with indexes: who holds what, and who can act without anybody's help. Pure."""

from __future__ import annotations

from labkit.scene import AnyObject, Blocked, Other, Process, Scene, Signals, Thread, TimerFd, UnixSocket
from labkit.words import MOVES, READS, WRITES

_RUN_TIMES = frozenset(
    {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPIPE", "SIG32", "SIG33"}
)
"""Handlers that a language's run-time installs by itself: they say nothing about the program's plan.
Signals 32 and 33 are the C library's own, caught by every program that has started a thread."""
_PYTHON_IGNORES = frozenset({"SIGPIPE", "SIGXFSZ"})
"""So does every Python program from its start; it also catches SIGINT. Elsewhere that is somebody's plan."""


def has_handlers(signals: Signals | None) -> bool:
    """Has the program itself handlers, which may well write into its own pipe, or post its semaphore?"""
    if signals is None:
        return False
    own = _RUN_TIMES | ({"SIGINT"} if _PYTHON_IGNORES.issubset(signals.ignored) else set())
    return not own.issuperset(signals.caught)


class Seen:
    """A scene with indexes: who holds what."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.processes = {p.pid: p for p in scene.processes}
        self.objects: dict[str, AnyObject] = {o.id: o for o in scene.objects}
        self.live = {p.pid: threads for p in scene.processes if (threads := live_threads(p))}
        self.hidden = any(p.descriptors is None for p in scene.processes if p.pid in self.live)
        self.in_flight = any(isinstance(o, UnixSocket) and o.in_flight for o in scene.objects)
        self._holders: dict[tuple[str, str], set[int]] = {}
        """(id, mode) -> who has it so; mode "" is any."""
        for process in scene.processes:
            for held in process.descriptors or ():
                self._hold(held.object, process.pid, held.mode or "rw")
        self._mappers: dict[str, set[int]] = {}
        for process in scene.processes:
            for mapping in process.mappings or ():
                self._mappers.setdefault(mapping.object, set()).add(process.pid)

    def _hold(self, object: str | None, pid: int, mode: str) -> None:
        if object is not None:
            for way in ("", *mode):
                self._holders.setdefault((object, way), set()).add(pid)

    def holders(self, id: str | None, mode: str = "") -> set[int]:
        """Those who have a descriptor of it; for reading or for writing, if so asked."""
        return self._holders.get((id or "", mode), set())

    def users(self, id: str | None) -> set[int]:
        """Those who have a descriptor of it, or have it in their memory."""
        return self.holders(id) | self._mappers.get(id or "", set())

    def can_act_by_itself(self, pid: int) -> bool:
        """It has a handler for an alarm, a timer that runs, or an io_uring, which acts while it sleeps."""
        process = self.processes[pid]
        caught = process.signals.caught if process.signals else ()
        return any(_is_alarm(name) for name in caught) or any(
            _ticks(self.objects.get(held.object or "")) for held in process.descriptors or ()
        )

    def reads(self, pid: int, blocked: Blocked) -> bool:
        """Is it a call that waits for bytes to come?"""
        return blocked.call in READS or (blocked.call in MOVES and self.mode(pid, blocked.fd) == "r")

    def writes(self, pid: int, blocked: Blocked) -> bool:
        """Is it a call that waits for room?"""
        return blocked.call in WRITES or (blocked.call in MOVES and self.mode(pid, blocked.fd) == "w")

    def mode(self, pid: int, fd: int | None, object: str | None = None) -> str | None:
        """How a process has this descriptor open; None when it has not, or not on this object."""
        rows = (row for row in self.processes[pid].descriptors or () if row.fd == fd)
        return next((row.mode for row in rows if object in (None, row.object)), None)

    def awaits_signals(self, pid: int) -> bool:
        """It has handlers of its own, which may well write into its own pipe."""
        return has_handlers(self.processes[pid].signals)

    def told_of(self, pid: int) -> set[int]:
        """Its live children, where it waits for a signal, and SIGCHLD alone can be meant: so a shell waits.

        (That somebody presses Ctrl-C is the exception that always stands.)
        """
        signals = self.processes[pid].signals
        if signals is None or "SIGCHLD" in signals.blocked:
            return set()
        return self.hears_of(pid) if set(signals.caught) <= _RUN_TIMES | {"SIGCHLD", "SIGINT"} else set()

    def hears_of(self, pid: int) -> set[int]:
        """Its live children, where it has a handler for SIGCHLD: the end of one is sure to be told."""
        signals = self.processes[pid].signals
        if signals is None or "SIGCHLD" not in signals.caught:
            return set()
        return {other for other in self.live if self.processes[other].ppid == pid}


def _is_alarm(name: str) -> bool:
    return name in ("SIGALRM", "SIGIO", "SIGPOLL") or name.startswith("SIGRT")


def _ticks(object: AnyObject | None) -> bool:
    if isinstance(object, Other):
        return object.name == "io_uring"
    return isinstance(object, TimerFd) and object.remaining_ns != 0


def live_threads(process: Process) -> tuple[Thread, ...]:
    """The threads that have not ended; the main one knows what the process is blocked in."""
    threads = process.threads or (Thread(process.pid, process.state, process.blocked),)
    return tuple(
        Thread(t.tid, t.state, process.blocked) if t.tid == process.pid and t.blocked is None else t
        for t in threads
        if t.state not in ("zombie", "dead")
    )
