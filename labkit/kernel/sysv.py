"""System V shared memory, semaphore sets and message queues, looked at from outside.

Some facts (sysvipc(7), shmctl(2), semctl(2), msgrcv(2), proc(5); checked on Linux 6.18):

- /proc/sysvipc/{shm,sem,msg} list every object of the reading thread's IPC namespace to every user,
  also those it may not read. A destroyed segment that is still attached stays there with key 0 and
  01000 (SHM_DEST) in its mode. Keys are printed signed; `ipcs` shows them unsigned.
- SHM_INFO, SEM_INFO and MSG_INFO tell in one call how many there are: mostly none.
- GETALL, GETNCNT, GETZCNT and GETPID need read permission on the set. They change nothing; a semaphore's
  pid is the last that did `semop`, SETVAL or SETALL on it, 0 when that process cannot be seen.
- A segment records its creator's pid and the last that attached or detached; a queue the last that sent
  and the last that received; a set neither.
- msgrcv with MSG_COPY (3.8; CONFIG_CHECKPOINT_RESTORE) and IPC_NOWAIT copies the n-th message, takes
  nothing, and leaves the receiver's pid and time alone. The buffer must be as large as the message, or
  it is EINVAL: MSG_NOERROR does not help, though it is needed against E2BIG.
- MSG_STAT_ANY (4.17) gives a queue's capacity without read permission.
- shmat to look would change nattch, the times and the last pid. A segment's bytes are reached through a
  process that has it attached: `maps` shows `/SYSV…` with the shmid as inode.

What follows for us: the listings first, and only when there is something to list; then the calls that
need permission, each with None where it is refused. `ipcs` shows the same before and after.
"""

from __future__ import annotations

import ctypes
import struct
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc, syscalls

HEAD_BYTES = 64
MOST_MESSAGES = 256
"""Each is copied at every look; a queue may hold sixteen thousand."""
MOST_SEMAPHORES = 256

GETPID, GETALL, GETNCNT, GETZCNT = 11, 13, 14, 15
SHM_INFO, SEM_INFO, MSG_INFO = 14, 19, 12
MSG_STAT_ANY = 13
IPC_NOWAIT, MSG_NOERROR, MSG_COPY = 0o4000, 0o10000, 0o40000
SHM_DEST = 0o1000


class Segment(NamedTuple):
    """A line of /proc/sysvipc/shm."""

    key: int
    shmid: int
    mode: int
    destroyed: bool
    size: int
    creator: int
    last: int
    attached: int
    uid: int
    cuid: int


class SemaphoreSet(NamedTuple):
    """A line of /proc/sysvipc/sem."""

    key: int
    semid: int
    mode: int
    semaphores: int
    uid: int
    cuid: int


class Queue(NamedTuple):
    """A line of /proc/sysvipc/msg."""

    key: int
    msqid: int
    mode: int
    bytes: int
    messages: int
    last_sender: int
    last_receiver: int
    uid: int
    cuid: int


class Semaphores(NamedTuple):
    """One entry a semaphore."""

    values: tuple[int, ...]
    waiting: tuple[int, ...] | None
    """Threads that wait for it to grow; None for a set too large to ask one by one."""
    waiting_zero: tuple[int, ...] | None
    last: tuple[int, ...] | None


class QueuedMessage(NamedTuple):
    """A copy of a message, cut to its first bytes."""

    type: int
    size: int
    head: bytes


# --- what there is ----------------------------------------------------------------------------------


def segments() -> list[Segment]:
    """Every shared memory segment of this thread's IPC namespace."""
    if not _used("shmctl"):
        return []
    return parse_segments(_listing("shm"))


def semaphore_sets() -> list[SemaphoreSet]:
    """Every semaphore set of this thread's IPC namespace."""
    if not _used("semctl"):
        return []
    return parse_semaphore_sets(_listing("sem"))


def queues() -> list[Queue]:
    """Every System V message queue of this thread's IPC namespace."""
    if not _used("msgctl"):
        return []
    return parse_queues(_listing("msg"))


def _used(call: str) -> bool:
    """False only when the kernel says that there is none."""
    buffer = ctypes.create_string_buffer(256)
    try:
        if call == "semctl":
            syscalls.semctl(0, 0, SEM_INFO, ctypes.addressof(buffer))
        elif call == "msgctl":
            syscalls.msgctl(0, MSG_INFO, ctypes.addressof(buffer))
        else:
            syscalls.shmctl(0, SHM_INFO, ctypes.addressof(buffer))
    except OSError:
        return True
    (count,) = struct.unpack_from("=i", buffer, _COUNT_AT[call])
    return bool(count)


_COUNT_AT = {"shmctl": 0, "semctl": 28, "msgctl": 0}
"""Offsets of `shm_info.used_ids`, `seminfo.semusz` and `msginfo.msgpool`: objects in use."""


def _listing(name: str) -> bytes:
    try:
        return proc.read(b"/proc/sysvipc/" + name.encode(), whole=True)
    except Vanished:  # a kernel without System V IPC
        return b""


def _rows(text: bytes) -> list[list[bytes]]:
    return [line.split() for line in text.split(b"\n")[1:] if line]


def parse_segments(text: bytes) -> list[Segment]:
    """/proc/sysvipc/shm."""
    return [_segment(row) for row in _rows(text)]


def _segment(row: list[bytes]) -> Segment:
    key, shmid, _, size, creator, last, attached, uid, _, cuid = (int(word) for word in row[:10])
    mode = int(row[2], 8)
    return Segment(
        key & 0xFFFFFFFF,
        shmid,
        mode & 0o777,
        bool(mode & SHM_DEST),
        size,
        creator,
        last,
        attached,
        uid,
        cuid,
    )


def parse_semaphore_sets(text: bytes) -> list[SemaphoreSet]:
    """/proc/sysvipc/sem."""
    found = []
    for row in _rows(text):
        key, semid, _, count, uid, _, cuid = (int(word) for word in row[:7])
        found.append(SemaphoreSet(key & 0xFFFFFFFF, semid, int(row[2], 8) & 0o777, count, uid, cuid))
    return found


def parse_queues(text: bytes) -> list[Queue]:
    """/proc/sysvipc/msg."""
    found = []
    for row in _rows(text):
        key, msqid, _, used, count, sender, receiver, uid, _, cuid = (int(word) for word in row[:10])
        mode = int(row[2], 8) & 0o777
        found.append(Queue(key & 0xFFFFFFFF, msqid, mode, used, count, sender, receiver, uid, cuid))
    return found


# --- what is in it ----------------------------------------------------------------------------------


def state(semid: int, count: int) -> Semaphores:
    """The state of each semaphore of a set; OSError when it is gone or may not be read."""
    array = (ctypes.c_ushort * max(count, 1))()
    syscalls.semctl(semid, 0, GETALL, ctypes.addressof(array))
    values = tuple(array[:count])
    if count > MOST_SEMAPHORES:
        return Semaphores(values, None, None, None)
    return Semaphores(values, *(_each(semid, count, command) for command in (GETNCNT, GETZCNT, GETPID)))


def _each(semid: int, count: int, command: int) -> tuple[int, ...]:
    return tuple(syscalls.semctl(semid, number, command) for number in range(count))


def capacity(msqid: int) -> int | None:
    """How many bytes a queue takes; None when it is gone or the kernel is too old."""
    buffer = ctypes.create_string_buffer(256)
    try:
        syscalls.msgctl(msqid, MSG_STAT_ANY, ctypes.addressof(buffer))
    except OSError:
        return None
    found: int = struct.unpack_from("=Q", buffer, 88)[0]  # msqid64_ds.msg_qbytes on 64-bit machines
    return found


def messages(queue: Queue) -> list[QueuedMessage]:
    """The messages waiting, first to last, at most MOST_MESSAGES; OSError when they may not be read."""
    size = max(queue.bytes, 1)
    buffer = ctypes.create_string_buffer(8 + size)
    found: list[QueuedMessage] = []
    for index in range(min(queue.messages, MOST_MESSAGES)):
        message = _message(queue.msqid, buffer, size, index)
        if message is None:
            break
        found.append(message)
    return found


def _message(msqid: int, buffer: ctypes.Array[ctypes.c_char], size: int, index: int) -> QueuedMessage | None:
    flags = MSG_COPY | IPC_NOWAIT | MSG_NOERROR
    try:
        count = syscalls.msgrcv(msqid, ctypes.addressof(buffer), size, index, flags)
    except OSError as error:
        if error.errno in _MOVED:
            return None
        raise
    type_ = struct.unpack_from("=q", buffer)[0]
    return QueuedMessage(type_, count, buffer.raw[8 : 8 + min(count, HEAD_BYTES)])


_MOVED = (42, 43, 22)
"""ENOMSG: taken meanwhile. EIDRM: the queue was removed. EINVAL: gone, or a longer message came."""
