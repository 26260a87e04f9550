"""Where an answer's processes live while it is judged: started, seen and ended from outside.

One owner, the judge, which must be their ancestor and subreaper. Everything learnt here comes from the
Linux kernel: pids from SCM_CREDENTIALS, ends from pidfds, exit statuses from the process table.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from labkit import names
from labkit.errors import LabError, Vanished
from labkit.judge import folders
from labkit.judge.exploring import Exploring
from labkit.judge.folders import Folders
from labkit.judge.sandbox import PACKAGE, SECCOMP_FD, Wall, libraries, seccomp_filter
from labkit.judge.watch import Watch
from labkit.judge.witness import Witness
from labkit.kernel import proc, remains, syscalls

NURSERY = str(PACKAGE / "judge" / "nursery.py")
ANSWER = "answer"
"""The name of the folder that an answer works in."""
EXPLORING = "exploring"
"""The name of the folder that belongs to an exploration's conductor."""
PATIENCE_S = 20
MANY = 4
"""More processes than these are ended with their room: then none of them can fork faster than we kill."""
TRIES = 20
"""And whoever is still there after so many rounds: one who forks and ends is another one each time."""
_CREDENTIALS = struct.Struct("iII")


class Spawned(NamedTuple):
    """A process of the answer that has just begun."""

    pid: int
    pidfd: int
    claims: socket.socket


class Cage:
    """Starts processes of an answer behind a wall, and takes all of them away again."""

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.nursery_pid = 0
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._witness: Witness | None = None
        self._folders: Folders | None = None
        self._base: str | None = None
        self._watch: Watch | None = None
        self.built: dict[str, str] = {}
        """What was made of an answer's text for this room: compiled programs, by source."""

    @classmethod
    def behind(cls, walls: Iterator[Wall]) -> Cage:
        """A cage behind the first of these walls that this machine can build."""
        for wall in walls:
            cage = cls(wall)
            try:
                cage._ready()
                return cage
            except LabError:
                cage.close()
        raise LabError("None of the walls could be built around the answer.")

    # --- starting ---

    def spawn(self, job: dict[str, Any], stdio: Sequence[int], given: Sequence[int]) -> Spawned:
        """Start the answer on a job; the descriptors given become its 3, 4, 5…"""
        try:
            return self._spawn(job, stdio, given)
        except (BrokenPipeError, ConnectionResetError, NotStarted):
            self.close()  # an answer has ended its own nursery
            self.fresh_folder()
            return self._spawn(job, stdio, given)

    def _spawn(self, job: dict[str, Any], stdio: Sequence[int], given: Sequence[int]) -> Spawned:
        ours, theirs = _pair()
        paper = _memfd(marshal.dumps(job))
        try:
            socket.send_fds(self._ready(), [b"start"], [paper, *stdio, theirs.fileno(), *given])
        finally:
            os.close(paper)
            theirs.close()
        pid = _greeted(ours, self.nursery_pid)
        pidfd = os.pidfd_open(pid)
        ours.send(b"go")
        return Spawned(pid, pidfd, ours)

    def _ready(self) -> socket.socket:
        if self._control is not None and _halted(self.nursery_pid):
            self.close()  # by an answer
        if self._control is None:
            ours, theirs = _pair()
            self._nursery = self._start(theirs.fileno())
            theirs.close()
            self._control = ours
            self.nursery_pid = _greeted(ours)
        return self._control

    def _start(self, control: int) -> subprocess.Popen[bytes]:
        null = subprocess.DEVNULL
        with _built(self.wall) as (prefix, fds):
            argv = [*prefix, sys.executable, "-IS", NURSERY, str(control), *libraries()]
            fds = [control, *fds]
            return subprocess.Popen(
                argv, stdin=null, stdout=null, stderr=null, pass_fds=fds, start_new_session=True, cwd="/",
                env=_environment(),
                preexec_fn=syscalls.default_signals,  # noqa: PLW1509 (whoever judges has one thread)
            )  # fmt: skip

    def explore(self, job: dict[str, Any]) -> Exploring:
        """Start an exploration in a room of its own, behind a wall like this one."""
        # A room of its own has a /tmp of its own, which goes with it.
        scratch = None if self.wall.own_files else self.folders.renew(EXPLORING)
        with _built(self.wall.for_tracing()) as (prefix, fds):
            return Exploring(prefix, fds, job, scratch)

    # --- its folders ---

    @property
    def folders(self) -> Folders:
        """Where the answer's files are."""
        self._ready()
        if self._folders is None:
            if self.wall.own_files:
                self._folders = folders.in_room(self.nursery_pid, self.wall.uid)
                self._folders.note()
            else:
                # In a notebook its scratch folder goes with it, whoever is killed.
                scratch = names.folder() if names.SCRATCH in os.environ else None
                self._base = tempfile.mkdtemp(prefix="answer-", dir=scratch)
                self._folders = folders.on_host(self._base)
        return self._folders

    def strays(self) -> list[str]:
        """The paths of what an answer has put into the room's /tmp, outside its own folder."""
        return self._folders.strays() if self._folders and self._nursery else []

    def fresh_folder(self) -> str:
        """An empty working directory; its path as the answer knows it."""
        with contextlib.suppress(OSError):
            return self.folders.renew(ANSWER)
        self.close()  # an answer has made this room unusable: the next one is new
        return self.folders.renew(ANSWER)

    # --- seeing ---

    @property
    def witness(self) -> Witness:
        """Eyes in the answer's IPC namespace."""
        self._ready()
        if self._witness is None:
            try:
                self._witness = Witness(self.nursery_pid)
            except LabError:
                if not _halted(self.nursery_pid):
                    raise
                self._ready()  # an answer has just ended its own nursery
                self._witness = Witness(self.nursery_pid)
        return self._witness

    def processes(self) -> list[int]:
        """The pids of everything of the answer's that is alive now."""
        return [pid for pid in self._below() if _alive(pid)]

    def _below(self) -> list[int]:
        ours = {self._nursery.pid, self.nursery_pid} if self._nursery else set()
        if self._witness:
            ours.add(self._witness.pid)
        inside = _first_inside(self.nursery_pid) if self.wall.own_files and self._nursery else 0
        return [pid for pid in _descendants(os.getpid()) if pid not in {*ours, inside}]

    def objects(self) -> dict[str, str]:
        """What can outlive a process, and is there now: an identity that compares -> words."""
        found = self.witness.system_v()
        root = f"/proc/{self.nursery_pid}/root"
        found |= _names(f"{root}/dev/shm", _shm_words)
        if self.wall.own_files:
            found |= _names(f"{root}/dev/mqueue", lambda name: f"the message queue `/{name}`")
        return found

    def forget_objects(self, pids: set[int]) -> None:
        """Let System V objects, queues and shared memory go with their room; without one, what these made."""
        if self.wall.own_ipc:
            self.close()
            return
        for owned in remains.system_v():
            if pids & {owned.creator, *owned.users}:
                remains.remove(owned.thing)

    def watch(self, at_once: bool = False) -> None:
        """Fails when the answer takes too much of the machine; only behind walls that it cannot climb."""
        if self.wall.own_files and self._nursery is not None:
            if self._watch is None:
                segments = self.witness.segments_bytes
                self._watch = Watch(f"/proc/{self.nursery_pid}/root", segments)
            self._watch.look(self._below, at_once)

    # --- ending ---

    def kill(self) -> None:
        """End every process of the answer; with many of them, by ending the room they live in."""
        rounds = 0
        while pids := self.processes():
            rounds += 1
            if self._nursery and self.wall.own_files and (len(pids) > MANY or rounds > TRIES):
                self.close()
            for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: what stands cannot fork
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            self._reap()
        self._reap()

    def _reap(self) -> None:
        """Take leave of orphans that became our children."""
        for pid in _children(os.getpid()):
            if pid not in self._kept():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _kept(self) -> set[int]:
        return {process.pid for process in (self._nursery, self._witness) if process}

    def close(self) -> None:
        """End everything, the nursery and its room too."""
        if not self.wall.own_files and self._nursery is not None:
            self.kill()
        if self._witness is not None:
            self._witness.close()
            self._witness = None
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._nursery is not None:
            self._nursery.kill()
            self._nursery.wait()
            self._nursery = None
        self.kill()
        if self._base is not None:
            subprocess.run(["rm", "-rf", "--", self._base], stderr=subprocess.DEVNULL)
        self._folders = self._base = self._watch = None
        self.built.clear()


class NotStarted(LabError):
    """A process of the answer's could not be started."""


def exit_status(pid: int) -> int | None:
    """How an ended process ended, as in `Process.exit`; None when the kernel no longer knows."""
    try:
        code = proc.read_stat(pid).exit_code
    except (Vanished, PermissionError):
        return None
    return None if code is None else os.waitstatus_to_exitcode(code)


def sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The pid in a message's credentials."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


@contextlib.contextmanager
def _built(wall: Wall) -> Iterator[tuple[list[str], list[int]]]:
    """What comes before a command behind this wall, and the descriptors that it needs."""
    if not wall.seccomp:
        yield list(wall.argv), []
        return
    fd = _memfd(seccomp_filter())
    try:
        yield [str(fd) if word == SECCOMP_FD else word for word in wall.argv], [fd]
    finally:
        os.close(fd)


def _environment() -> dict[str, str]:
    """What a room needs of ours; an answer can read all that its room's first processes were given."""
    kept = ("PATH", "LANG", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets, the first of which is told who writes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def _greeted(ours: socket.socket, nursery: int = 0) -> int:
    """The pid of who says hello, as the Linux kernel knows it."""
    deadline = time.monotonic() + PATIENCE_S
    while not select.select([ours], [], [], 0.2)[0]:
        if nursery and _halted(nursery):
            raise NotStarted("An answer has stopped the process that it was born from.")
        if time.monotonic() > deadline:
            raise NotStarted(f"A process of the answer did not start within {PATIENCE_S} seconds.")
    try:
        data, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(_CREDENTIALS.size))
    except ConnectionResetError:
        data = b""
    if not data:
        raise NotStarted("A process of the answer could not be started.")
    return sender(ancillary)


def _halted(pid: int) -> bool:
    """True for a process that is gone, stopped, or held by a tracer."""
    try:
        return proc.read_stat(pid).state in "ZXTt"
    except Vanished:
        return True


def _memfd(data: bytes) -> int:
    fd = os.memfd_create("job")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _names(folder: str, words: Any) -> dict[str, str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return {}
    return {f"{folder}/{entry.name} {entry.inode()}": words(entry.name) for entry in entries}


def _shm_words(name: str) -> str:
    if name.startswith("sem."):
        return f"the named semaphore `/{name[4:]}`"
    return f"the shared memory object `/{name}`"


def _first_inside(nursery: int) -> int:
    """The first process of the nursery's PID namespace: bubblewrap's."""
    with contextlib.suppress(Vanished):
        return proc.read_stat(nursery).ppid
    return 0


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(Vanished, PermissionError):
        for tid in proc.numbers_in(b"/proc/%d/task" % pid):
            with contextlib.suppress(Vanished):
                found += proc.parse_children(proc.read(b"/proc/%d/task/%d/children" % (pid, tid)))
    return found


def _alive(pid: int) -> bool:
    try:
        return proc.read_stat(pid).state not in "ZX"
    except Vanished:
        return False
