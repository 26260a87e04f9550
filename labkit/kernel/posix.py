"""POSIX semaphores, message queues, and the files behind shared memory.

Some facts (sem_overview(7), mq_overview(7), memfd_create(2); checked on Linux 6.18 with glibc 2.36):

- A named semaphore is a file `/dev/shm/sem.NAME` of 32 bytes, mapped by everyone who opened it and then
  closed: no descriptor tells of it. sem_unlink removes the name; the mapping lives on.
- glibc's `sem_t` on a 64-bit machine: a 64-bit word with the value in its low half and the number of
  waiters in its high half, then `private`: 128 when shared between processes, 0 when not. Elsewhere
  (32-bit, musl) it is laid out differently.
- A blocked sem_wait sleeps in futex(FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME) on the value, expecting 0.
  Mutexes and conditions sleep on other words, with other operations: the word alone says nothing.
- A message queue is a descriptor. Its link is `/NAME`, its filesystem `mqueue`; mq_getsetattr (with no
  new attributes it changes nothing) tells how many messages there are and may be. A `pread` gives
  `QSIZE:129 NOTIFY:0 SIGNO:0 NOTIFY_PID:0`: the bytes queued and who is to be told; it moves the queue's
  atime and nothing else. No call shows a message without taking it.
- `read` of a file in memory moves its atime (relatime or not, after a write). A descriptor of our own
  opened through /proc/PID/fd/N with O_NOATIME does not; that needs to be the file's owner, or root. To list
  a folder moves its atime likewise. And whoever watches either with inotify(7) wakes at every opening.
- F_GET_SEALS works on any copy; F_SEAL_SEAL is set on memfds made without MFD_ALLOW_SEALING.

What follows for us: values are read from the memory of a process that has them, or else from the file
with O_NOATIME, unless somebody in the picture watches it; never with the owner's own descriptor, whose
offset and times are its own.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel.numbers import number

SEM_BYTES = 32
MQUEUE_MAGIC = 0x19800202
FUTEX_WAIT_BITSET, FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG = 9, 256, 128
F_GET_SEALS = 1034
SEALS = {
    1: "F_SEAL_SEAL",
    2: "F_SEAL_SHRINK",
    4: "F_SEAL_GROW",
    8: "F_SEAL_WRITE",
    16: "F_SEAL_FUTURE_WRITE",
    32: "F_SEAL_EXEC",
}

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


# --- semaphores -------------------------------------------------------------------------------------


class SemFacts(NamedTuple):
    """What a `sem_t` holds."""

    value: int
    waiting: int
    shared: bool
    """Made to be shared between processes."""


def parse_sem(data: bytes) -> SemFacts | None:
    """glibc's `sem_t` on a 64-bit machine; None where it cannot be one."""
    if len(data) < 12 or sys.maxsize < 2**32:
        return None
    word, private = struct.unpack_from("=Qi", data)
    value, waiting = word & 0xFFFFFFFF, word >> 32
    if value > 0x7FFFFFFF or private not in (0, FUTEX_PRIVATE_FLAG):
        return None
    return SemFacts(value, waiting, private == FUTEX_PRIVATE_FLAG)


def is_sem_wait(operation: int, expected: int) -> bool:
    """Is it the futex call that sem_wait makes (a condition's may look the same, a mutex's never)?"""
    called = operation & ~FUTEX_PRIVATE_FLAG
    return called == FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME and expected & 0xFFFFFFFF == 0


def sem_waited_on(operation: int, expected: int, data: bytes) -> SemFacts | None:
    """The semaphore that this futex call waits on, given the memory at its word.

    None when the call is not one that sem_wait makes (a mutex's, a condition's), or the memory does not
    hold a shared semaphore with somebody waiting.
    """
    if not is_sem_wait(operation, expected):
        return None
    facts = parse_sem(data)
    return facts if facts and facts.shared and facts.waiting > 0 else None


def sem_name(file: bytes) -> str | None:
    """`/NAME` of the semaphore in the file `…/sem.NAME`; None for other files."""
    name = os.path.basename(file.removesuffix(b" (deleted)"))
    if not name.startswith(b"sem."):
        return None
    return "/" + name[4:].decode("utf-8", "backslashreplace")


# --- message queues ---------------------------------------------------------------------------------


class QueueFacts(NamedTuple):
    """What mq_getattr tells."""

    capacity: int
    """Messages it takes."""
    message_size: int
    """The longest message it takes."""
    queued: int


class QueueStatus(NamedTuple):
    """What reading the queue's file tells."""

    bytes: int
    notified: int | None
    """The process that is to be told when a message comes into the empty queue."""


def queue(copy: int) -> QueueFacts:
    """How full a queue is, through a copied descriptor; OSError when refused."""
    attributes = (ctypes.c_long * 8)()
    if _syscall(number("mq_getsetattr") or -1, copy, None, attributes) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "mq_getsetattr")
    return QueueFacts(*attributes[1:4])


def parse_queue_status(text: bytes) -> QueueStatus:
    """`QSIZE:129        NOTIFY:0     SIGNO:0     NOTIFY_PID:0`."""
    fields = dict(word.split(b":", 1) for word in text.split() if b":" in word)
    pid = int(fields.get(b"NOTIFY_PID", b"0"))
    return QueueStatus(int(fields[b"QSIZE"]), pid or None)


# --- files in memory --------------------------------------------------------------------------------


def seals(copy: int) -> tuple[str, ...] | None:
    """The seals of a memfd by name; None for a file that can't be sealed."""
    try:
        found = fcntl.fcntl(copy, F_GET_SEALS)
    except OSError:
        return None
    return tuple(name for bit, name in SEALS.items() if found & bit)


def names_in(folder: bytes) -> list[bytes]:
    """What lies in a folder, in order; its times stay where we may ask for that. OSError when not shown."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        fd = os.open(folder, flags | os.O_NOATIME)
    except PermissionError:
        fd = os.open(folder, flags)
    try:
        return sorted(map(os.fsencode, os.listdir(fd)))
    finally:
        os.close(fd)


def file_head(path: bytes, size: int) -> bytes:
    """The first bytes of a file, through a descriptor of our own that moves no times.

    Vanished when it is gone; PermissionError when only the file's owner could read it so.
    """
    flags = os.O_RDONLY | os.O_NOATIME | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            raise Vanished(f"{os.fsdecode(path)} is gone.") from None
        raise
    try:
        return os.pread(fd, size, 0)
    finally:
        os.close(fd)
