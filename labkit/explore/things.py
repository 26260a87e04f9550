"""The kernel objects of one run, by names that are the same in every run, and who else has them.

Footprints of one run are compared with those of another, where every id and inode is a different one. So
an object is called by who was the first to make or find it, and as which of theirs. Two runs that differ
only in the order of steps which could change places give an object the same name: a process's own calls
come in the same order in both, and so do all calls that find an object by a key.

Nothing is known of an object that was not seen being made, and None is returned instead of a name.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator, Sequence

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Led, Made, Task
from labkit.kernel.peek import content, words

_GETS = {"shmget": "shm", "semget": "sem", "msgget": "msg"}
_AF_UNIX = 1
_SEM_UNDO = 0x1000
_SETVAL, _SETALL, _IPC_RMID = 16, 17, 0
_SEGMENT = re.compile(rb"^\S+ \S+ \S+ \S+ (\d+) +/SYSV", re.MULTILINE)


class Things:
    """Names of what the programs have made so far."""

    def __init__(self, processes: Sequence[Led] = ()) -> None:
        self._processes = processes
        self._names: dict[tuple[str, int], str] = {}
        self._made: dict[tuple[str, tuple[int, ...]], int] = {}
        self._undo: dict[int, dict[tuple[int, int], int]] = {}
        """pid -> (set, number) -> what the process's end would take back (SEM_UNDO)."""

    def note(self, task: Task, call: Made) -> None:
        """A call is done: remember what it has made."""
        if call.result is None or call.result < 0:
            return
        if call.name in ("pipe", "pipe2"):
            self._call_descriptors("pipe", task, call.args[0])
        elif call.name == "socketpair" and signed32(call.args[0]) == _AF_UNIX:
            self._call_descriptors("sockets", task, call.args[3])
        elif call.name in _GETS:
            self._call(_GETS[call.name], task, [call.result])
        elif call.name in ("semop", "semtimedop"):
            self._note_undo(task, call)
        elif call.name == "semctl" and call.args[2] & 0xFF in (_SETVAL, _SETALL, _IPC_RMID):
            self._forget_undo(call)

    def _call_descriptors(self, kind: str, task: Task, address: int) -> None:
        pid = task.process.pid
        fds = words(pid, address, 2, 4)
        self._call(kind, task, [os.stat(f"/proc/{pid}/fd/{fd}").st_ino for fd in fds], "inode")

    def _call(self, kind: str, task: Task, numbers: list[int], table: str | None = None) -> None:
        path = task.process.path
        self._made[kind, path] = nth = self._made.get((kind, path), 0) + 1
        for number in numbers:
            self._names.setdefault((table or kind, number), f"{kind} {nth} of {path}")

    # --- names ------------------------------------------------------------------------------------

    def system_v(self, kind: str, id: int) -> str | None:
        """What an object of this kind (`shm`, `sem`, `msg`) is called."""
        return self._names.get((kind, id))

    def behind(self, inode: int) -> str | None:
        """What the pipe or the pair of sockets with this inode is called."""
        return self._names.get(("inode", inode))

    # --- ends -------------------------------------------------------------------------------------

    def has_another(self, pid: int, fd: int) -> bool:
        """True: another process under the conductor has this end of a pipe or this socket, too."""
        mine = _end(pid, fd)
        return any(
            _end(other.pid, held) == mine
            for other in self._processes
            if other.alive and other.pid != pid
            for held in _descriptors(other.pid)
        )

    def taken_back(self, process: Led) -> set[str]:
        """The semaphore sets that change when this process ends."""
        undo = self._undo.get(process.pid, {})
        return {self._names.get(("sem", id), "*") for (id, _), change in undo.items() if change}

    def attached(self, process: Led) -> set[str]:
        """The segments of which one attachment fewer will be counted when this process ends."""
        try:
            with open(f"/proc/{process.pid}/maps", "rb") as file:
                ids = map(int, _SEGMENT.findall(file.read()))
        except OSError:
            return {"*"}
        return {self._names.get(("shm", id), "*") for id in ids}

    def _note_undo(self, task: Task, call: Made) -> None:
        mine = self._undo.setdefault(task.process.pid, {})
        for number, change, flags in operations(task, call):
            if flags & _SEM_UNDO:
                key = signed32(call.args[0]), number
                mine[key] = mine.get(key, 0) - change

    def _forget_undo(self, call: Made) -> None:
        """Who sets a value, or removes the set, takes it from all who would give something back."""
        id, number = signed32(call.args[0]), signed32(call.args[1])
        for mine in self._undo.values():
            for key in mine:
                if key[0] == id and (call.args[2] & 0xFF != _SETVAL or key[1] == number):
                    mine[key] = 0


def operations(task: Task, call: Made) -> Iterator[tuple[int, int, int]]:
    """The rows of a semop: number, what to add, flags."""
    data = content(task.process.pid, call.args[1], 6 * min(call.args[2], 500))
    return struct.iter_unpack("=Hhh", data[: len(data) // 6 * 6])


def _descriptors(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []


def _end(pid: int, fd: int) -> tuple[int, int] | None:
    """Which object, and which end of it: of a pipe, the rights tell; None when it is gone."""
    try:
        path = f"/proc/{pid}/fd/{fd}"
        status = os.stat(path)
        return status.st_ino, stat.S_IMODE(os.lstat(path).st_mode) if stat.S_ISFIFO(status.st_mode) else 0
    except OSError:
        return None
