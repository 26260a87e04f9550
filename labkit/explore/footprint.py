"""What a step of a process touches, so that it is known which steps could change places unnoticed.

Two steps are independent when they touch nothing in common: then either order leads to the same, and
only one need be tried. A footprint is a set of words; `EVERYTHING` is the footprint of calls about which
nothing better is known, and has something in common with all others. When in doubt, it is that.
"""

from __future__ import annotations

import os

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.kernel.peek import c_string
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
_PATHS = {"open": (None, 0), "openat": (0, 1), "creat": (None, 0), "unlink": (None, 0), "unlinkat": (0, 1)}


def independent(one: Footprint, other: Footprint) -> bool:
    """True: steps with these footprints can change places, and nobody could tell."""
    return not ("*" in one or "*" in other or one & other)


def of_call(task: Task, call: Made) -> Footprint:
    """What a call touches that others could touch too; to be asked just before it is made."""
    memory = frozenset({"memory"}) if shares_memory(task.process.pid) else NOTHING
    if call.name == "sched_yield":
        return memory
    if call.name == "futex":
        return frozenset({"memory"})
    if call.name in _FDS:
        return memory | _descriptors(task, call)
    if call.name in _KIND:
        return memory | {f"{_KIND[call.name]} {signed32(call.args[0])}"}
    if call.name in _PATHS:
        return memory | _path(task, call)
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


def _descriptors(task: Task, call: Made) -> Footprint:
    found = set()
    for index in _FDS[call.name]:
        fd = signed32(call.args[index])
        try:
            status = os.stat(f"/proc/{task.process.pid}/fd/{fd}")
            link = os.readlink(f"/proc/{task.process.pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        except OSError:
            return EVERYTHING
        if link.startswith(("socket:", "anon_inode:")):
            return EVERYTHING
        found.add(f"file {status.st_dev} {status.st_ino}")
    return frozenset(found)


def _path(task: Task, call: Made) -> Footprint:
    folder, index = _PATHS[call.name]
    if folder is not None and signed32(call.args[folder]) != -100:
        return EVERYTHING
    try:
        here = os.readlink(f"/proc/{task.process.pid}/cwd")
        path = os.path.realpath(os.path.join(here, os.fsdecode(c_string(task.process.pid, call.args[index]))))
        found = {f"path {path}"}
        if os.path.exists(path):
            status = os.stat(path)
            found.add(f"file {status.st_dev} {status.st_ino}")
    except (OSError, ValueError):
        return EVERYTHING
    return frozenset(found)
