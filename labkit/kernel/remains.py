"""What outlives a process: finding what it holds of that kind, and removing it.

Some facts:

- System V objects, entries of /dev/shm, POSIX queues, FIFOs and bound Unix sockets stay when the last
  process that used them has ended (sysvipc(7), shm_overview(7), mq_overview(7), unix(7)).
- A segment's mapping appears in /proc/PID/maps as `/SYSV…` with the shmid as inode. Mappings of
  /dev/shm appear there too, perhaps under the temporary name that `sem_open` gave, so they are matched
  by device and inode.
- `stat` on /proc/PID/fd/N follows to the file itself, also where its name cannot be reached: POSIX
  queues need no mounted mqueue filesystem to be recognized. A bound socket's descriptor has another
  inode than the file it is bound to; /proc/net/unix gives its path.
- Reading /proc/PID/maps takes the lock of that process's memory, which fork holds: among thousands that
  fork, a look waits for as long as it takes until that one gets a processor again.
- Writing to a FIFO changes its ctime. Only the time of birth (statx(2), 4.11; tmpfs since 6.4) tells
  whether it is new; not every filesystem keeps it.
- Numbers come again: a System V id is reused after 32,768 others, an inode sooner.

What follows for us: a thing is its kind, its name and its identity (inode, or times for System V),
and only what still has that identity is ever removed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from labkit.kernel import syscalls, sysv
from labkit.kernel.numbers import number

SHM = "/dev/shm"
IPC_RMID = 0
_MQUEUE_MAGIC = 0x19800202
_AT_FDCWD, _STATX_BTIME = -100, 0x800


class Thing(NamedTuple):
    """Something that may outlive the process that made it."""

    kind: str
    """`sysv-shm`, `sysv-sem`, `sysv-msg`, `posix` (in /dev/shm), `posix-mq`, `fifo` or `socket`."""
    name: str
    """Its id in decimal, its path, or its name."""
    identity: int
    """Inode; for System V objects the key, which belongs to an id as long as it lives."""

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} {self.name}"


_WORDS = {
    "sysv-shm": "System V shared memory segment",
    "sysv-sem": "System V semaphore set",
    "sysv-msg": "System V message queue",
    "posix": "POSIX object",
    "posix-mq": "POSIX message queue",
    "fifo": "FIFO",
    "socket": "socket",
}


# --- what there is ----------------------------------------------------------------------------------


class Owned(NamedTuple):
    """A System V object, who it belongs to, and the pids that the kernel recorded with it."""

    thing: Thing
    uid: int
    key: int
    creator: int | None
    users: tuple[int, ...]


def system_v() -> Iterator[Owned]:
    """Every System V object of this IPC namespace."""
    for shm in sysv.segments():
        thing = Thing("sysv-shm", str(shm.shmid), shm.key)
        if not shm.destroyed:
            yield Owned(thing, shm.cuid, shm.key, shm.creator, (shm.last,))
    for sem in sysv.semaphore_sets():
        yield Owned(Thing("sysv-sem", str(sem.semid), sem.key), sem.cuid, sem.key, None, _sem_users(sem))
    for queue in sysv.queues():
        users = (queue.last_sender, queue.last_receiver)
        yield Owned(Thing("sysv-msg", str(queue.msqid), queue.key), queue.cuid, queue.key, None, users)


def _sem_users(found: sysv.SemaphoreSet) -> tuple[int, ...]:
    try:
        numbers = range(min(found.semaphores, 64))
        return tuple(syscalls.semctl(found.semid, n, sysv.GETPID) for n in numbers)
    except OSError:
        return ()


def in_shm() -> Iterator[tuple[Thing, int]]:
    """Every entry of /dev/shm, and the uid it belongs to."""
    try:
        entries = list(os.scandir(SHM))
    except OSError:
        return
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield Thing("posix", entry.path, found.st_ino), found.st_uid


def opened_by(pid: int) -> Iterator[Thing]:
    """What this process has open, of the kinds that may outlive it. Nothing once it is gone."""
    sockets: set[int] = set()
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for fd in descriptors:
        path = f"/proc/{pid}/fd/{fd}"
        try:
            found, name = os.stat(path), os.readlink(path)
        except OSError:
            continue
        if stat.S_ISSOCK(found.st_mode):
            sockets.add(found.st_ino)
        elif name.startswith("/") and not name.endswith(" (deleted)"):
            yield from _file(path, name, found)
    if sockets:
        yield from _bound(pid, sockets)


def _file(path: str, name: str, found: os.stat_result) -> Iterator[Thing]:
    if stat.S_ISFIFO(found.st_mode):
        yield Thing("fifo", name, found.st_ino)
    elif stat.S_ISREG(found.st_mode) and name.startswith(SHM + "/"):
        yield Thing("posix", name, found.st_ino)
    elif stat.S_ISREG(found.st_mode) and name.count("/") == 1 and _is_queue(path):
        yield Thing("posix-mq", name, found.st_ino)


def _is_queue(path: str) -> bool:
    try:
        return syscalls.filesystem_type(path.encode()) == _MQUEUE_MAGIC
    except OSError:
        return False


def _bound(pid: int, inodes: set[int]) -> Iterator[Thing]:
    """The files that these sockets are bound to."""
    try:
        with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split(None, 7)
        if len(words) == 8 and words[7].startswith("/") and int(words[6]) in inodes:
            try:
                yield Thing("socket", words[7], os.lstat(words[7]).st_ino)
            except OSError:
                continue


def mapped_by(pid: int) -> Iterator[Thing]:
    """What this process has mapped of /dev/shm. It waits while the process forks."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            text = file.read()
        device = os.stat(SHM).st_dev
    except OSError:
        return
    wanted = b"%02x:%02x" % (os.major(device), os.minor(device))
    inodes = set()
    for line in text.splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[3] == wanted:
            inodes.add(int(words[4]))
    if inodes:
        yield from (thing for thing, _ in in_shm() if thing.identity in inodes)


def born_ns(path: str) -> int | None:
    """When a file came into being, in nanoseconds of the clock; None when its filesystem does not say."""
    buffer = ctypes.create_string_buffer(256)
    call = number("statx")
    name = os.fsencode(path)
    flags = 0x100  # AT_SYMLINK_NOFOLLOW
    if call is None or _syscall(call, _AT_FDCWD, name, flags, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = struct.unpack_from("=I", buffer, 0)
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, 80)
    return seconds * 10**9 + nanoseconds if mask & _STATX_BTIME else None


def queue_changed(name: str) -> int | None:
    """When a POSIX queue was made or last used, in whole seconds: its filesystem keeps no more."""
    found = _queue(name)
    return None if found is None else int(found.st_ctime)


# --- removing ---------------------------------------------------------------------------------------


def remove(thing: Thing) -> bool:
    """Remove it if it is still what it was. False when it is gone, or is not ours to remove."""
    try:
        return _REMOVE[thing.kind](thing)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL, errno.EIDRM, errno.EPERM, errno.EACCES):
            return False
        raise


def there(thing: Thing) -> bool:
    """True while it is still there, the same one."""
    if thing.kind.startswith("sysv"):
        return any(owned.thing == thing for owned in system_v())
    if thing.kind == "posix-mq":
        found = _queue(thing.name)
        return found is not None and found.st_ino == thing.identity
    try:
        return os.lstat(thing.name).st_ino == thing.identity
    except OSError:
        return False


def _remove_system_v(thing: Thing) -> bool:
    if not there(thing):
        return False
    id = int(thing.name)
    if thing.kind == "sysv-shm":
        syscalls.shmctl(id, IPC_RMID)
    elif thing.kind == "sysv-sem":
        syscalls.semctl(id, 0, IPC_RMID)
    else:
        syscalls.msgctl(id, IPC_RMID)
    return True


def _remove_file(thing: Thing) -> bool:
    if not there(thing):
        return False
    os.unlink(thing.name)
    return True


def _remove_queue(thing: Thing) -> bool:
    if not there(thing):
        return False
    return bool(_libc.mq_unlink(thing.name.encode()) == 0)


def _queue(name: str) -> os.stat_result | None:
    """What `fstat` says of the queue that has this name now."""
    fd = _libc.mq_open(name.encode(), os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        return None
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


_REMOVE = {
    "sysv-shm": _remove_system_v,
    "sysv-sem": _remove_system_v,
    "sysv-msg": _remove_system_v,
    "posix": _remove_file,
    "fifo": _remove_file,
    "socket": _remove_file,
    "posix-mq": _remove_queue,
}

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [
    ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p,
]  # fmt: skip
_libc.mq_open.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.mq_unlink.argtypes = [ctypes.c_char_p]
