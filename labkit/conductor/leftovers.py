"""What programs made that outlives them, and which of it is still there.

Only what was seen being made counts: System V objects by their ids, names of files, FIFOs, sockets and
queues by the calls that made them. What was there before is nobody's leftover.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

import posix_ipc

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.kernel import syscalls
from labkit.kernel.calls import KEEPS_DESCRIPTORS
from labkit.kernel.peek import c_string, content

_SYSV = {"shmget": "shm", "semget": "sem", "msgget": "msg"}
_PATHS = {
    "mknod": 0, "mknodat": 1, "open": 0, "creat": 0, "openat": 1, "mkdir": 0, "mkdirat": 1, "link": 1,
    "linkat": 3, "rename": 1, "renameat": 3, "renameat2": 3, "symlink": 1, "symlinkat": 2,
}  # fmt: skip
"""Calls that may make a name: which argument it is."""
_FLAGS = {"open": 1, "openat": 2}
_REMOVE = {
    "shm": lambda id: syscalls.shmctl(id, 0),
    "sem": lambda id: syscalls.semctl(id, 0, 0),
    "msg": lambda id: syscalls.msgctl(id, 0),
}
_BY_ID = {
    **dict.fromkeys(("shmat", "shmctl"), "shm"),
    **dict.fromkeys(("semop", "semtimedop", "semctl"), "sem"),
    **dict.fromkeys(("msgsnd", "msgrcv", "msgctl"), "msg"),
}
"""Calls on a System V object by its id."""
_MAKES_NOTHING = KEEPS_DESCRIPTORS - {"flock", *_BY_ID}
"""Calls that neither make anything nor use a name: only the frequent ones."""
_HARMLESS = ("/dev/null", "/dev/tty", "/dev/zero")
"""What programs open that is nothing to meet in."""
_LOCKING = (6, 7, 37, 38)
"""fcntl's F_SETLK, F_SETLKW and their kin of open file descriptions."""
_WORDS = {"shm": "shared memory", "sem": "semaphore set", "msg": "message queue"}


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that a program made and nobody has removed."""

    kind: str
    """`shm`, `sem`, `msg` (System V); `path`; `mq`."""
    id: int
    path: str

    def in_words(self) -> str:
        """What it is, without numbers that change from run to run."""
        return f"System V {_WORDS[self.kind]}" if self.kind in _WORDS else str(self)

    def is_object(self) -> bool:
        """A path that is no plain file or folder: a FIFO, a socket, or a thing in /dev/shm."""
        try:
            mode = os.lstat(self.path).st_mode
        except OSError:
            return False
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or self.path.startswith("/dev/shm/")

    def remove(self) -> None:
        """Remove it, if it is still there."""
        try:
            if self.kind in _WORDS:
                _REMOVE[self.kind](self.id)
            elif self.kind == "mq":
                posix_ipc.unlink_message_queue(self.path)
            elif os.path.isdir(self.path) and not os.path.islink(self.path):
                os.rmdir(self.path)
            else:
                os.unlink(self.path)
        except (OSError, posix_ipc.Error):
            pass  # somebody else removed it meanwhile, or it may not be removed: it is told as left behind

    def __str__(self) -> str:
        if self.kind in _WORDS:
            return f"System V {_WORDS[self.kind]} {self.id}"
        if self.kind == "mq":
            return f"message queue {self.path}"
        return self.path


class Leftovers:
    """Watches what is made during a recording."""

    def __init__(self) -> None:
        self._before: dict[str, set[int]] = {kind: set(_ids(kind)) for kind in _WORDS}
        self._made: dict[Left, None] = {}
        self._maybe: dict[int, Left] = {}
        self.named = False
        """Something was made or met under a name that other programs could meet too."""
        self.elsewhere = False
        """Among that is what is not kept for these programs by an IPC namespace and a /dev/shm of their own:
        a file, a path, a lock, or something that was there before."""

    @property
    def strangers(self) -> frozenset[tuple[str, int]]:
        """The System V objects that were there before, by kind as in a scene, and id."""
        return frozenset((f"sysv-{kind}", id) for kind, ids in self._before.items() for id in ids)

    def before(self, task: Task, call: Made) -> None:
        """A call is about to happen: if it will make a name that is not there yet, remember it."""
        if call.name in _MAKES_NOTHING:
            return
        self._maybe.pop(task.tid, None)
        path = _new_path(task, call)
        if not (call.name in _FLAGS and _path(task, call) in _HARMLESS):
            self.named |= path is not None or _uses_name(call)
            self.elsewhere |= self._leads_elsewhere(task, call)
        if path is not None and not os.path.lexists(path):
            self._maybe[task.tid] = Left("path", 0, path)
        elif call.name == "mq_open" and call.args[1] & os.O_CREAT:
            name = "/" + os.fsdecode(c_string(task.process.pid, call.args[0]))
            self._maybe[task.tid] = Left("mq", 0, name)

    def after(self, task: Task, call: Made) -> None:
        """A call has happened."""
        if call.name in _MAKES_NOTHING:
            return
        maybe = self._maybe.pop(task.tid, None)
        result = call.result if call.result is not None else -1
        if call.name in _SYSV and result >= 0:
            if result in self._before[_SYSV[call.name]]:
                self.elsewhere = True
            else:
                self._made[Left(_SYSV[call.name], result, "")] = None
        elif maybe is not None and result >= 0:
            self._made[maybe] = None

    def _leads_elsewhere(self, task: Task, call: Made) -> bool:
        if call.name in _SYSV:
            return False  # its result tells
        if call.name in _BY_ID:
            old = signed32(call.args[0]) in self._before[_BY_ID[call.name]]
            self.named |= old
            return old
        if call.name == "mq_open":
            name = "/" + os.fsdecode(c_string(task.process.pid, call.args[0]))
            return Left("mq", 0, name) not in self._made and queue_exists(name)
        path = _path(task, call) if call.name in _PATHS else None
        if path is not None and path.startswith("/dev/shm/"):
            return Left("path", 0, path) not in self._made and os.path.lexists(path)
        return _new_path(task, call) is not None or _uses_name(call)

    def remove_objects(self) -> None:
        """Remove IPC objects that are still there: their makers were ended before they could."""
        for left in self.remaining():
            if left.kind != "path" or left.is_object():
                left.remove()

    def found(self) -> list[str]:
        """What was made and is still there, in words."""
        return [str(left) for left in self.remaining()]

    def remaining(self) -> list[Left]:
        """What was made and is still there."""
        here = {kind: set(_ids(kind)) for kind in _WORDS}
        return [left for left in self._made if _is_there(left, here)]


def _is_there(left: Left, here: dict[str, set[int]]) -> bool:
    if left.kind in _WORDS:
        return left.id in here[left.kind]
    if left.kind == "mq":
        return queue_exists(left.path)
    return os.path.lexists(left.path)


def queue_exists(name: str) -> bool:
    """True: there is a POSIX message queue of this name."""
    try:
        os.close(posix_ipc.MessageQueue(name, write=False).mqd)
    except posix_ipc.ExistentialError:
        return False
    except (posix_ipc.PermissionsError, OSError, ValueError):
        return True
    return True


def _uses_name(call: Made) -> bool:
    if call.name in _SYSV:
        return call.args[0] & 0xFFFFFFFF != 0
    if call.name == "fcntl":
        return call.args[1] in _LOCKING
    return call.name in ("mq_open", "bind", "connect", "flock") or (
        call.name in _FLAGS and bool(call.args[_FLAGS[call.name]] & 3)
    )


def _new_path(task: Task, call: Made) -> str | None:
    """The absolute path that a call may make, or None."""
    pid = task.process.pid
    if call.name == "bind":
        data = content(pid, call.args[1], min(call.args[2], 110))
        if data[:2] != b"\x01\x00" or len(data) < 3 or data[2] == 0:
            return None
        return _absolute(pid, -100, os.fsdecode(data[2:].split(b"\0")[0]))
    if call.name not in _PATHS:
        return None
    if call.name in _FLAGS and not call.args[_FLAGS[call.name]] & os.O_CREAT:
        return None
    return _path(task, call)


def _path(task: Task, call: Made) -> str:
    """The absolute path that one of the calls in `_PATHS` is given."""
    pid, index = task.process.pid, _PATHS[call.name]
    folder = signed32(call.args[index - 1]) if call.name.endswith(("at", "at2")) else -100
    return _absolute(pid, folder, os.fsdecode(c_string(pid, call.args[index])))


def _absolute(pid: int, folder: int, path: str) -> str:
    link = "cwd" if folder == -100 else f"fd/{folder}"
    try:
        return os.path.normpath(os.path.join(os.readlink(f"/proc/{pid}/{link}"), path))
    except OSError:
        return os.path.abspath(path)


def _ids(kind: str) -> list[int]:
    """The System V ids there are, from /proc/sysvipc."""
    try:
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            return [int(line.split()[1]) for line in file.readlines()[1:]]
    except OSError:
        return []
