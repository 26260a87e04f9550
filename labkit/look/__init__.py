"""One look at the kernel: what is shared by everything that takes part in it.

`XRay.look` makes a `Look`, finds the processes, reads their descriptors, and then asks one module of
this package for each sort of object:

    pipes.py     pipes and FIFOs
    sockets.py   Unix and internet sockets
    sysv.py      System V segments, semaphore sets, message queues
    posix.py     POSIX semaphores and message queues
    memory.py    memfds, POSIX shared memory, and the mappings of every process
    files.py     regular files, eventfd, epoll, signalfd, timerfd, terminals, locks

Facts come from `labkit.kernel` (plain pids and numbers in, plain facts out, knowing nothing of scenes);
the modules here turn facts into the objects of a Scene. Each has one or both of

    descriptors(look, held)   `held`: the descriptors of its sort, in order of pid and fd. For each it
                              calls `look.place(held, id)`, and `look.add(object)` once an object.
    objects(look)             called once, at the end: adds what was reached without a descriptor:
                              whatever `look.reached(kind)` names and is not in `look.objects` yet
                              (for example a semaphore set that somebody is blocked on).

and is imported only when it is needed. The order of a look: all `descriptors`, then every blocked
call, then all `objects`. A blocked call finds its object so:

    with a descriptor         `look.placed[pid, fd]`
    semop, msgrcv, msgsnd     `look.reach("sysv-sem", semid)`, `look.reach("sysv-msg", msqid)`
    futex                     `posix.futex(look, pid, address, arguments) -> id or None`
    flock, fcntl locks        `files.lock_waited(look, pid, call, fd, arguments) -> id or None`

(the two functions are asked when their module has them.) None of the modules fails because the world
moved: what is gone (`Vanished`) is left out, what is refused (`PermissionError`, or any OSError)
becomes None in the object and one `look.limit(what, because)`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc, syscalls
from labkit.kernel.fstatus import AnyStatus
from labkit.kernel.memory import parse_shown
from labkit.look.outside import Outside
from labkit.look.recall import Recall
from labkit.look.refusals import Refusals
from labkit.scene import AnyObject, Limit, Mapping, State, Thread

PIDFD_THREAD = os.O_EXCL
KEPT_NS = 250_000_000
"""In a stream of pictures, what hardly ever changes is asked for four times a second."""


class Held(NamedTuple):
    """One row of a process's descriptor table, as read."""

    pid: int
    fd: int
    link: bytes
    """As /proc/PID/fd/N says: `pipe:[123]`, `anon_inode:[eventpoll]`, `/tmp/x (deleted)`."""
    info: proc.FdInfo | None
    stat: AnyStatus | None
    """Of what is open; only for links that are paths."""

    @property
    def path(self) -> bytes:
        """The name under which the kernel reaches the open object: /proc/PID/fd/N."""
        return b"/proc/%d/fd/%d" % (self.pid, self.fd)

    def is_open_as(self, copy: int) -> bool:
        """Is this descriptor of ours open on the same thing, as far as that has a number of its own?"""
        found = os.fstat(copy)
        if self.stat is not None:
            return (found.st_dev, found.st_ino) == (self.stat.st_dev, self.stat.st_ino)
        if self.link.startswith((b"pipe:[", b"socket:[")):
            return self.link.endswith(b":[%d]" % found.st_ino)
        return True


class Seen(NamedTuple):
    """One process of the look."""

    stat: proc.Stat
    status: proc.Status | None
    threads: tuple[int, ...]
    name: str
    root: int
    """The pid of the program it belongs to."""
    command: str
    schedule: bytes
    """A text that changes whenever its main thread runs, read before `stat`."""
    still: bool
    """It has not run since the last look: its memory map and its table of descriptors are the same."""

    @property
    def ended(self) -> bool:
        """No thread of it lives any more."""
        return self.stat.state in "ZX" and len(self.threads) <= 1

    @property
    def live_threads(self) -> tuple[int, ...]:
        """All but a main thread that has ended before the others."""
        ended = self.stat.state in "ZX"
        return tuple(tid for tid in self.threads if not (ended and tid == self.stat.pid))

    @property
    def witness(self) -> int:
        """The number through which /proc shows its table: of another thread where the main one has ended."""
        return self.stat.pid if self.stat.state not in "ZX" else next(iter(self.live_threads), self.stat.pid)


class Numbers:
    """Numbers that stay: the same object has the same id in every look of one XRay."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, Hashable], str] = {}
        self._last: dict[str, int] = {}

    def id(self, kind: str, identity: Hashable) -> str:
        """`pipe-1`, `pipe-2`… in the order first seen."""
        known = self._ids.get((kind, identity))
        if known is None:
            self._last[kind] = self._last.get(kind, 0) + 1
            known = self._ids[kind, identity] = f"{kind}-{self._last[kind]}"
        return known


class Look:
    """One look: what has been read so far, and where to put what is found."""

    def __init__(self, numbers: Numbers, all_objects: bool = False, recall: Recall | None = None) -> None:
        self.numbers = numbers
        self.recall = recall if recall is not None else Recall()
        self.all_objects = all_objects
        self.started_by_us = False
        """Who started the picture's programs is ours, and holds nothing of theirs: it need not be seen."""
        self.seen: dict[int, Seen] = {}
        """The processes of the picture, in its order."""
        self.held: dict[int, list[Held] | None] = {}
        """Their descriptors; None where they may not be seen."""
        self.placed: dict[tuple[int, int], str] = {}
        """(pid, fd) -> id of the object."""
        self.objects: dict[str, AnyObject] = {}
        self.threads: dict[int, tuple[Thread, ...]] = {}
        """pid -> its threads, and what each sleeps in."""
        self.descriptions: dict[tuple[int, int], int] = {}
        """(pid, fd) -> number of the open file description, where it is known."""
        self.fifos: dict[Hashable, bytes] = {}
        """Paths of FIFOs that somebody waits to open."""
        self.put_off = False
        """Something could not be shown for the moment only: the next look may."""
        self.plumbing: Callable[[Held], bool] | None = None
        """Descriptors that are left out."""
        self.childless: frozenset[int] = frozenset()
        """Processes whose descendants are left out."""
        self.strangers: frozenset[tuple[str, int]] = frozenset()
        """System V objects that are left out unless they are reached or used."""
        self.tracing_stop: State = "stopped"
        """What a thread in a tracing stop is said to be."""
        self.begun_ns = time.monotonic_ns()
        self.clocks = True
        """Is it said how long each sleep has lasted? Where not, it is one picture of a stream of them."""
        self.outside = Outside(weakref.proxy(self))
        """Who holds something too, and is not in the picture."""
        self.mappings: dict[int, tuple[Mapping, ...] | None] = {}
        """pid -> its mappings of objects; filled by memory.py."""
        self.limits: dict[str, Limit] = {}
        self._refusals = Refusals()
        self._rows: dict[int, dict[int, Held]] = {}
        self._reached: dict[str, dict[Hashable, str]] = {}
        self._maps: dict[int, list[proc.Map] | None] = {}
        self._pidfds: dict[int, int] = {}
        self._filesystems: dict[int, int | None] = {}
        self.kept: dict[str, Any] = {}
        """What a module found out that another one, or its own next part, needs."""

    def good_until(self, hardly_changes: bool) -> int:
        """Until when (monotonic) a fact that hardly ever changes is believed: never, but in a stream."""
        return self.begun_ns + KEPT_NS if hardly_changes and not self.clocks else 0

    # --- objects

    def reach(self, kind: str, identity: Hashable) -> str:
        """The id of an object, known from now on to be in the picture.

        Identities: pipe, fifo, unix-socket, inet-socket: inode (fifo: (device, inode)); sysv-*: the
        kernel's id (semid…); files, shm, semaphores: (device, inode); others: what tells them apart.
        """
        id = self.numbers.id(kind, identity)
        self._reached.setdefault(kind, {})[identity] = id
        return id

    def reached(self, kind: str) -> dict[Hashable, str]:
        """identity -> id of everything of this kind that is in the picture."""
        return dict(self._reached.get(kind, {}))

    def again(self, before: tuple[dict[tuple[int, int], str], dict[str, dict[Hashable, str]]]) -> None:
        """Place and reach the very same as in an earlier look: what was placed, and reached by kind."""
        placed, reached = before
        self.placed.update(placed)
        for kind, ids in reached.items():
            self._reached.setdefault(kind, {}).update(ids)

    def add(self, object: AnyObject) -> None:
        """Put an object into the picture (again: the later one counts)."""
        self.objects[object.id] = object

    def place(self, held: Held, id: str) -> None:
        """Say which object a descriptor is open on."""
        self.placed[held.pid, held.fd] = id

    def limit(self, what: str, because: str) -> None:
        """Say once what could not be seen, and why."""
        self.limits.setdefault(what, Limit(what, because))

    def refused(self, what: str, pid: int, error: OSError, attach: bool = False) -> None:
        """Say that this process would not show `what`; the reason is found from the error.

        `attach`: it takes the right to attach (as ptrace does), not only to read.
        """
        seen = self.seen.get(pid)
        name = seen.name if seen else f"process {pid}"
        uid = seen.status.uid if seen and seen.status else None
        self._refusals.add(what, name, uid, error, attach)

    def all_limits(self) -> tuple[Limit, ...]:
        """Everything this look could not see."""
        return (*self.limits.values(), *(Limit(what, why) for what, why in self._refusals.said()))

    # --- looking into a process

    def row(self, pid: int, fd: int) -> Held | None:
        """What this descriptor is, as read; None when it is not there or not shown."""
        if pid not in self._rows:
            self._rows[pid] = {row.fd: row for row in self.held.get(pid) or ()}
        return self._rows[pid].get(fd)

    @contextlib.contextmanager
    def copy(self, pid: int, fd: int) -> Iterator[int]:
        """A copy of a process's descriptor, closed at the end of the `with`: be quick.

        Vanished when the process or descriptor is gone; OSError when the machine refuses.
        """
        copy = self.copied(pid, fd)
        try:
            yield copy
        finally:
            os.close(copy)

    def copied(self, pid: int, fd: int) -> int:
        """As `copy`, for who closes it himself: quicker."""
        try:
            if pid not in self._pidfds:
                self._pidfds[pid] = self._pidfd(pid)
            copy = syscalls.pidfd_getfd(self._pidfds[pid], fd)
        except OSError as error:
            raise _translated(error, pid, fd) from None
        row = self.row(pid, fd)
        if row is not None and not row.is_open_as(copy):  # the number stands for something else by now
            os.close(copy)
            raise Vanished(f"fd {fd} of process {pid} is gone.")
        return copy

    def _pidfd(self, pid: int) -> int:
        """Where the main thread has ended, that of another thread (Linux 6.9): only who lives has a table."""
        witness = self.seen[pid].witness if pid in self.seen else pid
        return os.pidfd_open(witness, PIDFD_THREAD if witness != pid else 0)

    def maps(self, pid: int) -> list[proc.Map] | None:
        """The process's mappings of shared objects and data files; None when it is gone or refused.

        Only its own threads change them: those of one that slept since the last look are not read again.
        """
        if pid not in self._maps:
            self._maps[pid] = self._maps_of(self.seen[pid])
        return self._maps[pid]

    def _maps_of(self, seen: Seen) -> list[proc.Map] | None:
        pid, known = seen.stat.pid, self.recall.maps
        if seen.still and pid in known:
            return known[pid]
        try:
            text = proc.read(b"/proc/%d/maps" % seen.witness, whole=True)
        except (Vanished, OSError):
            return None
        known[pid] = self.recall.parsed(("maps", pid), text, parse_shown)
        return known[pid]

    def memory(self, pid: int, address: int, size: int) -> bytes | None:
        """Bytes of a process's memory; None when they can't all be read."""
        witness = self.seen[pid].witness if pid in self.seen else pid
        try:
            data = syscalls.process_vm_readv(witness, address, size)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS):
                self.refused("what is in the memory", pid, error, attach=True)
            return None
        except ValueError:
            return None
        return data if len(data) == size else None

    def filesystem(self, held: Held) -> int | None:
        """The magic number (statfs(2)) of the filesystem an open path is on, asked once a device."""
        if held.stat is None:
            return None
        device = held.stat.st_dev
        if device not in self._filesystems:
            try:
                self._filesystems[device] = syscalls.filesystem_type(held.path)
            except OSError:
                return None
        return self._filesystems[device]

    def close(self) -> None:
        """Give back every descriptor the look holds."""
        for pidfd in self._pidfds.values():
            os.close(pidfd)
        self._pidfds.clear()
        self.kept.clear()


def _translated(error: OSError, pid: int, fd: int) -> Exception:
    if error.errno in (errno.ESRCH, errno.EBADF, errno.EINVAL):  # EINVAL: no PIDFD_THREAD yet
        return Vanished(f"fd {fd} of process {pid} is gone.")
    return error
