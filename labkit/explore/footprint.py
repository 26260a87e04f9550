"""What a step of a process touches, so that it is known which steps could change places unnoticed.

Two steps are independent when they touch nothing in common: then either order leads to the same, and
only one need be tried. A footprint is a set of words; `EVERYTHING` is the footprint of calls about which
nothing better is known, and has something in common with all others. When in doubt, it is that.

Footprints of one run are compared with those of another, where every id and inode is a different one. So
their words are the same in every run: a pipe is called by who made it and as which of their pipes; all
files are one word, and so are all System V objects of a kind.
"""

from __future__ import annotations

import os

from labkit.conductor.quiet import signed32
from labkit.conductor.signals import handles_sigchld
from labkit.conductor.tasks import Made, Task
from labkit.kernel.peek import words
from labkit.kernel.touch import shares_memory

Footprint = frozenset[str]

EVERYTHING: Footprint = frozenset({"*"})
NOTHING: Footprint = frozenset()
OUTPUT: Footprint = frozenset({"output"})

_FDS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "pwritev"), (0,)),
    **dict.fromkeys(
        ("lseek", "flock", "ftruncate", "fallocate", "fsync", "fdatasync", "close", "fcntl"), (0,)
    ),
    **dict.fromkeys(("mq_timedsend", "mq_timedreceive", "mq_getsetattr", "vmsplice"), (0,)),
    **dict.fromkeys(("sendfile", "tee", "dup2", "dup3"), (0, 1)),
    "splice": (0, 2),
}
_SYSV = {
    "shm": ("shmat", "shmctl"),
    "sem": ("semop", "semtimedop", "semctl"),
    "msg": ("msgsnd", "msgrcv", "msgctl"),
}
_KIND = {name: kind for kind, names in _SYSV.items() for name in names}
_GETS = {"shmget": "shm", "semget": "sem", "msgget": "msg"}
_PATHS = frozenset({"open", "openat", "creat", "unlink", "unlinkat"})


def independent(one: Footprint, other: Footprint) -> bool:
    """True: steps with these footprints can change places, and nobody could tell."""
    return not ("*" in one or "*" in other or one & other)


class Pipes:
    """The pipes of a run, by names that are the same in every run."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._made: dict[tuple[int, ...], int] = {}

    def note(self, task: Task, call: Made) -> None:
        """A call is done: if it made a pipe, remember it."""
        if call.name in ("pipe", "pipe2") and call.result == 0:
            path = task.process.path
            self._made[path] = self._made.get(path, 0) + 1
            for fd in words(task.process.pid, call.args[0], 2, 4):
                inode = os.stat(f"/proc/{task.process.pid}/fd/{fd}").st_ino
                self._names[inode] = f"pipe {self._made[path]} of {path}"

    def name(self, inode: int) -> str:
        """What the pipe with this inode is called; a FIFO counts with the files."""
        return self._names.get(inode, "files")


def of_call(task: Task, call: Made, pipes: Pipes) -> Footprint:
    """What a call touches that others could touch too; to be asked just before it is made."""
    memory = frozenset({"memory"}) if shares_memory(task.process.pid) else NOTHING
    if call.name == "sched_yield":
        return memory
    if call.name == "futex":
        return frozenset({"memory"})
    if call.name in _FDS:
        return memory | _descriptors(task, call, pipes)
    if call.name in _KIND:
        return memory | {_KIND[call.name]}
    if call.name in _PATHS:
        return memory | {"files"}
    if call.name in ("exit", "exit_group"):
        return memory | _of_exit(task, pipes)
    return EVERYTHING


def is_private(task: Task, call: Made) -> bool:
    """True: only the process itself can notice the call, as things stand."""
    if call.name in ("close", "dup2", "dup3"):
        closed = signed32(call.args[0 if call.name == "close" else 1])
        return _is_private_fd(task.process.pid, closed)
    if call.name in _GETS:
        return call.args[0] & 0xFFFFFFFF == 0
    return False


def _is_private_fd(pid: int, fd: int) -> bool:
    """Nobody would miss this descriptor: it is not open, a device, or a plain file without a lock."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        if link.startswith(("/dev/null", "/dev/pts/", "/dev/tty")):
            return True
        if not os.path.isfile(f"/proc/{pid}/fd/{fd}"):
            return False
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            return "lock:" not in file.read() and not link.startswith("/dev/")
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _descriptors(task: Task, call: Made, pipes: Pipes) -> Footprint:
    found: set[str] = set()
    for index in _FDS[call.name]:
        found |= _descriptor(task.process.pid, signed32(call.args[index]), pipes)
    return frozenset(found)


def _descriptor(pid: int, fd: int, pipes: Pipes) -> Footprint:
    try:
        status = os.stat(f"/proc/{pid}/fd/{fd}")
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
        return NOTHING
    except OSError:
        return EVERYTHING
    if link.startswith(("socket:", "anon_inode:")):
        return EVERYTHING
    return frozenset({pipes.name(status.st_ino) if link.startswith("pipe:") else "files"})


def _of_exit(task: Task, pipes: Pipes) -> Footprint:
    """What others will notice when a process ends: the ends of its pipes, and a signal to its parent."""
    pid, parent = task.process.pid, task.process.parent
    if len(task.process.tasks) > 1 or (parent is not None and handles_sigchld(parent.pid)):
        return EVERYTHING
    found = {f"children of {task.process.path[:-1]}"}
    try:
        for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
            if not _is_private_fd(pid, fd):
                found |= _descriptor(pid, fd, pipes)
    except OSError:
        return EVERYTHING
    return frozenset(found)
