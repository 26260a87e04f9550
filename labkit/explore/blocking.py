"""Whether a call, made now, would do nothing but wait.

Not to offer such a call leaves no outcome out: a process that would wait may as well stand before the
call, and makes it when it can go through. Only calls of which this can be read with certainty are
answered with True; of all others the answer is False, and they are tried.

What is read from a descriptor is read from a copy of it, while all programs stand still.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.explore.things import operations
from labkit.kernel.peek import content, words
from labkit.kernel.syscalls import pidfd_getfd, pidfd_open, semctl, socket_time_limit

_GETVAL = 12
_IPC_NOWAIT = 0o4000
_LOCK_SH, _LOCK_EX, _LOCK_NB, _LOCK_UN = 1, 2, 4, 8
_SETLKW = 7
_MSG_DONTWAIT = 0x40


def would_block(task: Task, call: Made) -> bool:
    """True: the call would wait, and change nothing by waiting."""
    function = _CALLS.get(call.name)
    if function is None:
        return False
    try:
        return function(task, call)
    except (OSError, struct.error, ValueError):
        return False


def _semop(task: Task, call: Made) -> bool:
    if call.name == "semtimedop" and call.args[3]:
        return False
    semid = signed32(call.args[0])
    values: dict[int, int] = {}
    for number, operation, flags in operations(task, call):
        value = values.setdefault(number, semctl(semid, number, _GETVAL))
        if (operation == 0 and value != 0) or value + operation < 0:
            return not flags & _IPC_NOWAIT
        values[number] = value + operation
    return False


def _flock(task: Task, call: Made) -> bool:
    operation = call.args[1]
    if operation & (_LOCK_NB | _LOCK_UN):
        return False
    pid, fd = task.process.pid, signed32(call.args[0])
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
        if "FLOCK" in file.read():
            return False
    return any(
        kind == "FLOCK" and (mode == "WRITE" or operation & _LOCK_EX)
        for kind, mode, _, _, _ in _locks(pid, fd)
    )


def _fcntl(task: Task, call: Made) -> bool:
    """Not of one who holds a record lock: that it waits decides who else would close a ring (EDEADLK)."""
    if call.args[1] != _SETLKW or _holds_record_lock(task.process.pid):
        return False
    pid, fd = task.process.pid, signed32(call.args[0])
    kind, whence, start, length = struct.unpack("=hh4xqq", content(pid, call.args[2], 24))
    if whence != 0 or kind == 2 or length < 0:
        return False
    end = start + length - 1 if length else None
    return any(
        held in ("POSIX", "OFDLCK") and owner != pid and (mode == "WRITE" or kind == 1)
        and (last is None or last >= start) and (end is None or first <= end)
        for held, mode, owner, first, last in _locks(pid, fd)
    )  # fmt: skip


def _locks(pid: int, fd: int) -> list[tuple[str, str, int, int, int | None]]:
    """Locks on the file behind a descriptor: kind, mode, owner's pid, first and last byte."""
    status = os.stat(f"/proc/{pid}/fd/{fd}")
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = []
    for fields in _listed():
        if fields[5] == wanted:
            last = None if fields[7] == "EOF" else int(fields[7])
            found.append((fields[1], fields[3], int(fields[4]), int(fields[6]), last))
    return found


def _holds_record_lock(pid: int) -> bool:
    return any(fields[1] == "POSIX" and fields[4] == str(pid) for fields in _listed())


def _listed() -> list[list[str]]:
    """The lines of /proc/locks that tell of locks that somebody holds."""
    with open("/proc/locks", encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file]
    return [fields for fields in lines if len(fields) >= 8 and fields[1] != "->"]


def _futex(task: Task, call: Made) -> bool:
    if call.args[1] & 127 not in (0, 9) or call.args[3]:
        return False
    return words(task.process.pid, call.args[0], 1, 4) == [call.args[2] & 0xFFFFFFFF]


def _receives(task: Task, call: Made) -> bool:
    """Of a read or a receive from a pipe or a socket in which nothing is, and that has not come to its end.

    Not where another thread could close the descriptor: whoever waits goes on waiting, and who comes later
    is refused.
    """
    if len(task.process.tasks) > 1 or (call.name == "recvfrom" and call.args[3] & _MSG_DONTWAIT):
        return False
    pid, fd = task.process.pid, signed32(call.args[0])
    mode = os.stat(f"/proc/{pid}/fd/{fd}").st_mode
    if call.name in ("read", "recvfrom") and not call.args[2]:
        return False
    return (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and _is_silent(pid, fd, stat.S_ISSOCK(mode))


def _is_silent(pid: int, fd: int, is_socket: bool) -> bool:
    """A blocking descriptor, without a time limit, at which nothing has happened that ends a wait."""
    process = pidfd_open(pid)
    try:
        copy = pidfd_getfd(process, fd)
    finally:
        os.close(process)
    try:
        flags = fcntl.fcntl(copy, fcntl.F_GETFL)
        if flags & os.O_NONBLOCK or flags & os.O_ACCMODE == os.O_WRONLY:
            return False
        if is_socket and socket_time_limit(copy, "receive"):
            return False
        poll = select.poll()
        poll.register(copy, select.POLLIN | select.POLLPRI | select.POLLRDHUP)
        return not poll.poll(0)
    finally:
        os.close(copy)


_CALLS = {
    "semop": _semop, "semtimedop": _semop, "flock": _flock, "fcntl": _fcntl, "futex": _futex,
    "read": _receives, "readv": _receives, "recvfrom": _receives, "accept": _receives, "accept4": _receives,
}  # fmt: skip
