"""What a step of a process touches, so that it is known which steps could change places unnoticed.

Two steps are independent when they touch nothing in common: then either order leads to the same, and
only one need be tried. A footprint is a set of words; `EVERYTHING` is the footprint of calls about which
nothing better is known, and has something in common with all others. When in doubt, it is that.

To close an end of a pipe touches the pipe only if no other process has that end, as things stand. So what
is true of a step that closes something must be asked anew wherever it could be made (`DEPENDS_ON_OTHERS`).
"""

from __future__ import annotations

import fcntl
import os
import struct

from labkit.conductor.quiet import signed32
from labkit.conductor.signals import handles_sigchld
from labkit.conductor.tasks import Made, Task
from labkit.explore.things import Things
from labkit.kernel.calls import CALLS, LOOKS
from labkit.kernel.peek import content
from labkit.kernel.touch import shares_memory

Footprint = frozenset[str]

EVERYTHING: Footprint = frozenset({"*"})
NOTHING: Footprint = frozenset()
OUTPUT: Footprint = frozenset({"output"})

_BYTES = ("read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "pwritev")
_FDS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(_BYTES, (0,)),
    **dict.fromkeys(("lseek", "flock", "ftruncate", "fallocate", "fsync", "fdatasync", "fcntl"), (0,)),
    **dict.fromkeys(("mq_timedsend", "mq_timedreceive", "mq_getsetattr", "vmsplice"), (0,)),
    **dict.fromkeys(("sendfile", "tee"), (0, 1)),
    "splice": (0, 2),
}
_SYSV = {
    "shm": ("shmat", "shmctl"),
    "sem": ("semop", "semtimedop", "semctl"),
    "msg": ("msgsnd", "msgrcv", "msgctl"),
}
_KIND = {name: kind for kind, names in _SYSV.items() for name in names}
_COMMAND = {"shmctl": 1, "msgctl": 1, "semctl": 2}
"""Which argument says what to do."""
_BY_ID = {"shmctl": (0, 1, 2, 11, 12), "msgctl": (0, 1, 2), "semctl": (0, 1, 2, *range(11, 18))}
"""The commands that mean one object, by its id: IPC_RMID, IPC_SET, IPC_STAT, and some of each kind. Others
(SEM_STAT, IPC_INFO…) look at all of them."""
_GETS = ("shmget", "semget", "msgget")
_CLOSES = {"close": 0, "dup2": 1, "dup3": 1}
DEPENDS_ON_OTHERS = frozenset({*_CLOSES, "exit", "exit_group"})
_PATHS = frozenset({"open", "openat", "creat", "unlink", "unlinkat", *LOOKS})
_OPENS = frozenset(
    {*(name for name, spec in CALLS.items() if spec.result == "fd"), "pipe", "pipe2", "socketpair"}
    | {*_CLOSES, "close_range"}
)
_GOES = frozenset({"chdir", "fchdir"})
SHARED_BY_THREADS = _OPENS | _GOES
"""What changes something that is the process's own, but that all its threads have in common: who opens first
gets the lower number, and where one goes, all are."""
_UNNOTICED = tuple(
    f"anon_inode:{name}"
    for name in ("[eventfd]", "[timerfd]", "[signalfd]", "[eventpoll]", "[pidfd]", "[landlock-ruleset]")
)
"""What nobody misses when it is closed: no other end hears of it."""
_NULL = os.makedev(1, 3)
_OUT_OF_BAND = 1


def independent(one: Footprint, other: Footprint) -> bool:
    """True: steps with these footprints can change places, and nobody could tell."""
    return not ("*" in one or "*" in other or one & other)


def of_call(task: Task, call: Made, things: Things, ends_count: bool = True) -> Footprint:
    """What a call touches that others could touch too; to be asked just before it is made.

    `ends_count`: somebody asks which of their children ended, or how many have something attached.
    """
    if len(task.process.tasks) > 1 and (call.name in SHARED_BY_THREADS or _duplicates(call)):
        among = frozenset({f"{'folder' if call.name in _GOES else 'table'} of {task.process.path}"})
        return among if call.spec.own else among | _outside(task, call, things, ends_count)
    return _outside(task, call, things, ends_count)


def _duplicates(call: Made) -> bool:
    return call.name == "fcntl" and signed32(call.args[1]) in (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC)


def _outside(task: Task, call: Made, things: Things, ends_count: bool) -> Footprint:
    memory = frozenset({"memory"}) if shares_memory(task.process.pid) else NOTHING
    if call.name == "sched_yield":
        return memory
    if call.name == "futex":
        return frozenset({"memory"})
    if call.name in _FDS:
        return memory | _descriptors(task, call, things)
    if call.name in _KIND:
        return memory | _system_v(call, things)
    if call.name in _PATHS:
        return memory | {"files"}
    if call.name in _CLOSES:
        return memory | _closing(task.process.pid, signed32(call.args[_CLOSES[call.name]]), things)
    if call.name in ("exit", "exit_group"):
        return memory | _of_exit(task, things, ends_count)
    if call.name in ("sendto", "recvfrom", "sendmsg", "recvmsg"):
        return memory | _of_message(task, call, things)
    return EVERYTHING


def is_private(task: Task, call: Made) -> bool:
    """True: only the process itself can notice the call, as things stand."""
    if call.name in _CLOSES:
        return _is_private_fd(task.process.pid, signed32(call.args[_CLOSES[call.name]]))
    if call.name in _GETS:
        return call.args[0] & 0xFFFFFFFF == 0
    return call.name in _BYTES and _is_null(task.process.pid, signed32(call.args[0]))


def _is_null(pid: int, fd: int) -> bool:
    """True for /dev/null, where nothing comes from, and where nothing that goes there is seen again."""
    try:
        return os.stat(f"/proc/{pid}/fd/{fd}").st_rdev == _NULL
    except OSError:
        return False


def _is_private_fd(pid: int, fd: int) -> bool:
    """Nobody would miss this descriptor: it is not open, a device, or a plain file without a lock."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        if link.startswith(("/dev/null", "/dev/pts/", "/dev/tty")) or link in _UNNOTICED:
            return True
        if not os.path.isfile(f"/proc/{pid}/fd/{fd}"):
            return False
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            return "lock:" not in file.read() and not link.startswith("/dev/")
    except FileNotFoundError:
        return True
    except OSError:
        return False


# --- System V -----------------------------------------------------------------------------------------


def _system_v(call: Made, things: Things) -> Footprint:
    name = things.system_v(_KIND[call.name], signed32(call.args[0]))
    if call.name in _COMMAND and call.args[_COMMAND[call.name]] & 0xFF not in _BY_ID[call.name]:
        return EVERYTHING
    return EVERYTHING if name is None else frozenset({name})


# --- descriptors --------------------------------------------------------------------------------------


def _descriptors(task: Task, call: Made, things: Things) -> Footprint:
    found: set[str] = set()
    for index in _FDS[call.name]:
        found |= _descriptor(task.process.pid, signed32(call.args[index]), things)
    return frozenset(found)


def _descriptor(pid: int, fd: int, things: Things) -> Footprint:
    """What is behind a descriptor."""
    try:
        status = os.stat(f"/proc/{pid}/fd/{fd}")
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
        return NOTHING
    except OSError:
        return EVERYTHING
    if link.startswith(("pipe:", "socket:")):
        name = things.behind(status.st_ino)
        return EVERYTHING if name is None else frozenset({name})
    return EVERYTHING if link.startswith("anon_inode:") else frozenset({"files"})


def _closing(pid: int, fd: int, things: Things) -> Footprint:
    """What is touched when a process lets go of a descriptor."""
    if _is_private_fd(pid, fd):
        return NOTHING
    behind = _descriptor(pid, fd, things)
    known = behind and not behind & {"*", "files"}
    return NOTHING if known and things.has_another(pid, fd) else behind


def _of_message(task: Task, call: Made, things: Things) -> Footprint:
    """Of a message between two joined sockets that brings no descriptors and names no address."""
    behind = _descriptor(task.process.pid, signed32(call.args[0]), things)
    if call.name == "recvfrom":
        return behind
    if call.name == "sendto":
        return EVERYTHING if call.args[4] or call.args[3] & _OUT_OF_BAND else behind
    header = content(task.process.pid, call.args[1], 56)
    if len(header) < 56:
        return EVERYTHING
    address, _, _, _, _, control, flags = struct.unpack("=QI4xQQQQi4x", header)
    plain = not control and (call.name == "recvmsg" or not (address or flags & _OUT_OF_BAND))
    return behind if plain and not call.args[2] & _OUT_OF_BAND else EVERYTHING


# --- the end ------------------------------------------------------------------------------------------


def _of_exit(task: Task, things: Things, ends_count: bool) -> Footprint:
    """What others will notice when a process ends: the ends of its pipes, and a signal to its parent."""
    process, parent = task.process, task.process.parent
    if len(process.tasks) > 1 or (parent is not None and handles_sigchld(parent.pid)):
        return EVERYTHING
    found = things.taken_back(process)
    if ends_count:
        found |= {f"children of {process.path[:-1]}"} | things.attached(process)
    try:
        for fd in map(int, os.listdir(f"/proc/{process.pid}/fd")):
            found |= _closing(process.pid, fd, things)
    except OSError:
        return EVERYTHING
    return frozenset(found)
