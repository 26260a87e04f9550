"""What a conductor knows of each process and thread it leads, and how it tells that one is asleep."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from labkit.kernel.calls import CALLS, LOOKS, Call
from labkit.kernel.numbers import number

if TYPE_CHECKING:
    from labkit.scene import Blocked

State: TypeAlias = Literal[
    "unborn",  # made, not yet at its first stop
    "new",  # stands at its first stop
    "running",  # was let go
    "asleep",  # proven to sleep in a call
    "call",  # stands before a call that matters
    "ready",  # stands with nothing to do first: after a call, or in the middle of computing
    "fired",  # stands after a wait that ended by time; its turn comes in order of time
    "signal",  # stands before the delivery of a signal
    "stopped",  # stopped by SIGSTOP or the like
    "ended",  # a first thread that has ended before others of its process
]

Effect: TypeAlias = Literal["handler", "ignored", "ends", "stops", "continues"]
"""What a signal does to a process."""

READY: frozenset[State] = frozenset({"new", "call", "ready", "signal"})
STANDING: frozenset[State] = READY | {"fired"}
"""Held at a stop, where nothing but SIGKILL can move it."""


@dataclass(slots=True)
class Made:
    """A call that a task makes, or stands before."""

    name: str
    args: tuple[int, ...]
    result: int | None = None
    waited: bool = False
    """It was seen asleep in this call."""
    seconds: float | None = None
    """After which it ends by itself; None: it does not."""
    point: float | None = None
    """Where that was asked for as a point on a clock: the point."""
    stack: int = 0
    """The stack pointer; a handler that interrupts the call comes back to the same."""
    said: str = ""
    """The call in words, as it was before it happened, where somebody writes them down."""

    @property
    def spec(self) -> Call:
        return CALLS.get(self.name) or LOOKS[self.name]

    @property
    def ends_at_once(self) -> bool:
        """It waits, but for no time at all: the kernel has it sleep for some microseconds all the same."""
        return self.seconds == 0.0 and self.point is None


@dataclass(slots=True)
class Pending:
    """A signal that a task stands before, and what it will do."""

    number: int
    sender: int | None
    effect: Effect
    value: int | None = None
    """What was sent with it."""
    address: int | None = None
    """Where memory was used that may not be."""


@dataclass(slots=True)
class Image:
    """What a process executes; shared by those forked from it until one executes another program."""

    program: str = ""
    loader: tuple[int, int] | None = None
    """Where the dynamic loader lies; None: not yet looked; (0, 0): there is none."""
    libc: tuple[int, int] | None = None
    """Where the C library lies; likewise."""
    begun: bool = False
    """The program's own code has been reached."""
    marked: bool = False
    """A marker will say where it begins."""
    script: str | None = None
    """Of an interpreter with no marker: the file whose reading is its beginning; "" with -c."""

    unread: str | None = None
    """The whole path of a script that its interpreter has found, and will now read."""
    will_try_epoll: bool = False
    """A module is being imported that tries whether there is epoll."""

    def heir(self) -> Image:
        return Image(self.program, self.loader, self.libc, self.begun, self.marked, self.script)


@dataclass(slots=True)
class Led:
    """A process under the conductor."""

    pid: int
    path: tuple[int, ...]
    """Which program, then which child of which: the same in every run of the same program."""
    name: str
    image: Image
    parent: Led | None = None
    tasks: dict[int, Task] = field(default_factory=dict)
    children: int = 0
    threads: int = 0
    """How many there have been."""
    quiet_fds: set[int] = field(default_factory=set)
    """Descriptors of libraries and the like, whose calls make no frames."""
    shown: dict[int, int] = field(default_factory=dict)
    """Mappings of objects: address, size."""
    status: int | None = None
    """How it ended, as waitpid says it."""
    borrows: bool = False
    """It runs in its parent's memory (vfork) until it executes a program."""
    reaped: bool = False
    """Its parent has been told of its end."""

    @property
    def alive(self) -> bool:
        return self.status is None


@dataclass(slots=True)
class Task:
    """A thread under the conductor; of a process with one thread, the process."""

    tid: int
    process: Led
    state: State = "unborn"
    number: int = 1
    """1 for the first thread, 2 for the second…"""
    call: Made | None = None
    quiet: bool = False
    """The call it is in makes no frame."""
    restarting: Made | None = None
    """A call that a signal cut short, and which the kernel will start again."""
    interrupted: list[Made] = field(default_factory=list)
    """Calls that were cut short by handlers that have not returned, the innermost last."""
    pending: Pending | None = None
    deadline: float | None = None
    """When its timed wait ends, in the conductor's own time."""
    signal_first: bool = False
    """A signal came while it stood before the call: what that does comes first, and then the call."""
    hurried: bool = False
    """The conductor ends its timed wait before the time."""
    hurried_to: float | None = None
    """The point on a clock of the last wait that was ended so."""
    waits: Blocked | None = None
    """How it was last seen to wait, for pictures between the end of its time and its turn."""
    in_vfork: bool = False
    unmask_next: bool = False
    born_by: int | None = None
    witness: Witness | None = None
    computes: bool = False
    """It was stopped in the middle of computing, to let others go on."""
    patience_ends: float | None = None
    """How far its processor time may go before others get a turn."""
    counter: bytes | None = None
    """Its witness's counter when last seen asleep."""

    def stands(self, *states: State) -> bool:
        """True: it is in one of these states now."""
        return self.state in states

    @property
    def who(self) -> str:
        name = self.process.name
        return name if self.number == 1 else f"{name} (thread {self.number})"

    @property
    def key(self) -> tuple[int, ...]:
        """Its place in the order of creation."""
        return (*self.process.path, self.number - _MANY) if self.number > 1 else self.process.path


_MANY = 1 << 30
"""A process's threads come after it, and before its children."""


_FOR_OTHERS = frozenset(
    number(name)
    for name in (
        *("wait4", "waitid", "pause", "rt_sigsuspend", "rt_sigtimedwait", "futex", "semop", "semtimedop"),
        *("msgsnd", "msgrcv", "mq_timedsend", "mq_timedreceive", "nanosleep", "clock_nanosleep"),
        *("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "flock"),
    )
)
"""Numbers of the calls in which one sleeps only until another process, a signal or time ends it."""
_BY_DESCRIPTOR = frozenset(number(name) for name in ("read", "write", "readv", "writev"))
"""Calls in which one sleeps for others, too, if the descriptor is not that of a file on a disk."""


class Witness:
    """Reads from /proc whether a task sleeps, without disturbing it.

    One look at its state is not enough: a task is for an instant asleep also where it will go on by
    itself. It sleeps for good when state, time used and call stay the same over a sequence of readings.
    In a call where a disk, say, or a server of files may be what is waited for, some time must pass, too.
    """

    def __init__(self, pid: int, tid: int) -> None:
        self._folder = f"/proc/{pid}/task/{tid}"
        self._files: list[int] = []
        self._call = b""
        """What `syscall` said when it was last read."""
        if not (self._open("stat") and self._open("schedstat")):
            self.close()  # it is gone already, as threads are when another executes a program: state X

    def _open(self, name: str) -> bool:
        try:
            self._files.append(os.open(f"{self._folder}/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False
        return True

    def _may_see_call(self) -> bool:
        """False for a task that is ending: it has no memory any more, and its files belong to root."""
        return len(self._files) > 2 or (len(self._files) == 2 and self._open("syscall"))

    def state(self) -> str:
        """The kernel's letter: S asleep, t stopped by its tracer, Z ended…; X when it is gone."""
        return self._stat()[0]

    def still_asleep(self, counter: bytes | None, uninterruptible: bool = False) -> bool:
        """True: it sleeps, and has not run since the counter was read.

        The letter alone would lie: a task that has been woken and is about to sleep again is marked
        as asleep while it still runs.
        """
        return self._stat()[0] == ("D" if uninterruptible else "S") and self._read(1) == counter

    def asleep(self, uninterruptible: bool = False) -> bytes | None:
        """What does not change while it sleeps, or None when it does not sleep."""
        wanted = "D" if uninterruptible else "S"
        if self._stat()[0] != wanted:
            return None
        counter = self._read(1)
        if not uninterruptible and not self._in_call():
            return None
        if self._stat()[0] != wanted or self._read(1) != counter:
            return None
        return counter

    def _in_call(self) -> bool:
        self._call = self._read(2) if self._may_see_call() else b"running"
        return not self._call.startswith(b"running")

    def for_others(self) -> bool:
        """True: in the call that it was seen asleep in, one waits for other processes, not for a device."""
        called, *args = self._call.split()[:2] or [b"-1"]
        if int(called) in _FOR_OTHERS:
            return True
        if int(called) not in _BY_DESCRIPTOR or not args:
            return False
        try:
            return not os.readlink(f"{self._folder}/fd/{int(args[0], 16)}").startswith("/")
        except OSError:
            return False

    def cpu_seconds(self) -> float:
        """How long it has computed, in all."""
        return int((self._read(1).split() or [b"0"])[0]) / 1e9

    def close(self) -> None:
        for fd in self._files:
            os.close(fd)
        self._files = []

    def _stat(self) -> str:
        line = self._read(0)
        return line[line.rfind(b")") + 2 :][:1].decode() or "X"

    def _read(self, which: int) -> bytes:
        try:
            return os.pread(self._files[which], 512, 0)
        except (OSError, IndexError):
            return b""
