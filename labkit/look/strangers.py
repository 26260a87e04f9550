"""Who outside the picture has what somebody in it sleeps on: sockets, eventfds, locks, shared memory.

For pipes `pipes.py` asks at every look. These are asked for only while a thread is asleep on them,
because only then anything follows from the answer (`labkit.waits`).

- A socket's number stands in the link of every descriptor open on it; an eventfd's in its fdinfo.
- Shared memory is named by device and inode in every process's `maps`. A mapping comes by fork or by
  opening the file, and no exec lets it live: so all who have it are in our /proc, even in a room. Of
  those that hide their `maps`, only one forked without an exec can have inherited it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Iterator
from typing import Any

from labkit.errors import Vanished
from labkit.kernel import files, proc
from labkit.kernel import socket_calls as calls
from labkit.look import Look, kin, locks
from labkit.look.descriptors import mode
from labkit.look.scan import KEPT_NS
from labkit.scene import (
    EventFd,
    InetSocket,
    Lock,
    Memory,
    PosixMq,
    PosixSem,
    SysvMsg,
    SysvSem,
    SysvShm,
    UnixSocket,
)

_SHARED = re.compile(rb"^\S+ ..[-x]s \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)", re.MULTILINE)
Identity = tuple[int, int]


def complete(look: Look) -> None:
    """Say of each object that somebody sleeps on whether a stranger has it too."""
    for id in dict.fromkeys(_slept_on(look)):
        object = look.objects.get(id)
        if isinstance(object, (UnixSocket, InetSocket)):
            look.add(dataclasses.replace(object, others=_socket(look, object)))
        elif isinstance(object, EventFd):
            look.add(dataclasses.replace(object, others=_eventfd(look, id)))
        elif isinstance(object, (Memory, PosixSem)):
            look.add(dataclasses.replace(object, others=_memory(look, object)))
        elif isinstance(object, PosixMq):
            look.add(dataclasses.replace(object, others=_queue(look, id)))
        elif isinstance(object, Lock):
            look.add(dataclasses.replace(object, others=locks.held_outside(look, object)))
        elif isinstance(object, (SysvSem, SysvMsg, SysvShm)):
            look.add(dataclasses.replace(object, others=kin.others(look, object)))


def _slept_on(look: Look) -> Iterator[str]:
    """The ids of what threads sleep on, of the other ends, and of the memory they lie in."""
    for threads in look.threads.values():
        for blocked in (thread.blocked for thread in threads):
            for id in (blocked.object, *(watched.object for watched in blocked.on)) if blocked else ():
                object = look.objects.get(id or "")
                yield from (
                    i for i in (id, getattr(object, "peer", None), getattr(object, "inside", None)) if i
                )


# --- descriptors ------------------------------------------------------------------------------------


def _socket(look: Look, socket: UnixSocket | InetSocket) -> bool | None:
    number = _identity(look, socket.kind, socket.id)
    listens = isinstance(socket, UnixSocket) and socket.state == "listening"
    inside = _is_ours(look, socket.id) if listens else socket.peer in look.objects
    return look.outside.others(b"socket:[%d]" % number, made_inside=inside)


def _is_ours(look: Look, listener: str) -> bool:
    """Was it a process of the picture that called listen(2)? The kernel has kept who it was."""
    for (pid, fd), id in look.placed.items():
        if id == listener:
            try:
                with look.copy(pid, fd) as copy:
                    return calls.peer_pid(copy) in look.seen
            except (Vanished, OSError):
                continue
    return False


def _identity(look: Look, kind: str, id: str) -> Any:
    return next(identity for identity, known in look.reached(kind).items() if known == id)


def _eventfd(look: Look, id: str) -> bool | None:
    identity = _identity(look, "eventfd", id)
    link = b"anon_inode:[eventfd]"
    if any(_is_eventfd(pid, fd, identity) for pid, fd in look.outside.holders(link)):
        return True
    # What came from further up would have gone through those who started the picture's programs. They
    # show theirs, or it is not proven: so, as a pipe with both its sides in the picture, it was made there.
    return look.outside.others(b"", made_inside=True)


def _is_eventfd(pid: int, fd: int, identity: object) -> bool:
    try:
        info = proc.parse_fdinfo(proc.read(b"/proc/%d/fdinfo/%d" % (pid, fd)))
    except (Vanished, OSError):
        return False
    facts = files.parse_eventfd(info.more)
    return facts is not None and identity in (("eventfd", facts.id), None)


def _queue(look: Look, id: str) -> bool | None:
    """As of a pipe: with somebody who sends and somebody who receives in the picture, it was made there."""
    rows = [look.row(pid, fd) for (pid, fd), placed in look.placed.items() if placed == id]
    sides = {side for row in rows for side in (mode(row.info.flags) if row and row.info else None) or ""}
    return look.outside.others_of_file(_identity(look, "posix-mq", id), made_inside=sides == {"r", "w"})


# --- memory -----------------------------------------------------------------------------------------


def _memory(look: Look, object: Memory | PosixSem) -> bool | None:
    inside = object.inside if isinstance(object, PosixSem) else None
    if inside is not None:
        memory = look.objects.get(inside)
        return memory.others if isinstance(memory, Memory) else None
    from labkit.look.memory import ANONYMOUS

    device, inode, *_ = _identity(look, object.kind, object.id)
    scan = _maps(look)
    if (device, inode) in scan.identities:
        return True
    anonymous = isinstance(object, Memory) and ANONYMOUS in object.notes
    held = False if anonymous else look.outside.others_of_file((device, inode), made_inside=True)
    unknown = scan.hidden_relatives or (scan.hidden_users and not anonymous)
    return None if unknown or held is None else held


class Maps:
    """The shared memory that processes outside the picture have mapped, at one time."""

    def __init__(self, inside: frozenset[int]) -> None:
        self.taken_ns = time.monotonic_ns()
        self.inside = inside
        self.identities: set[Identity] = set()
        self._hidden: list[int] = []
        """Who would not show what it has mapped."""
        for pid in proc.numbers_in(b"/proc"):
            if pid not in inside:
                self._read(pid)
        mine = {_command_line(pid) for pid in inside} if self._hidden else set()
        self.hidden_relatives = not os.path.exists("/proc/1") or any(
            _command_line(pid) in mine for pid in self._hidden
        )
        """Among them is one that may have it by fork, as its command line says: exec takes the memory away.
        Or /proc does not list everybody."""
        self.hidden_users = any(_uid(pid) >= _PEOPLE for pid in self._hidden)
        """Among them is another user's, who may have opened it, or been given its descriptor. (The
        system's own daemons open no memory of a learner's.)"""

    def _read(self, pid: int) -> None:
        try:
            with open(f"/proc/{pid}/maps", "rb") as file:
                text = file.read()
        except OSError as error:
            if isinstance(error, PermissionError):
                self._hidden.append(pid)
            return
        for major, minor, inode in _SHARED.findall(text):
            self.identities.add((os.makedev(int(major, 16), int(minor, 16)), int(inode)))


def _command_line(pid: int) -> bytes | None:
    try:
        return proc.read(b"/proc/%d/cmdline" % pid)
    except (Vanished, PermissionError):
        return None


_PEOPLE = 1000
"""Smaller user ids are the system's own (login.defs(5))."""


def _uid(pid: int) -> int:
    try:
        return proc.parse_status(proc.read(b"/proc/%d/status" % pid)).uid or 0
    except (Vanished, PermissionError):
        return 0


def _maps(look: Look) -> Maps:
    """The last scan, if it is not too old. A careful look needs none anew: a stranger could come by this
    memory only from another stranger, who then had it in the last scan, or from somebody who sleeps."""
    inside = frozenset(look.seen)
    known: Maps | None = look.recall.kept.get("strangers' maps")
    if known is None or known.inside != inside or time.monotonic_ns() - known.taken_ns > KEPT_NS:
        known = look.recall.kept["strangers' maps"] = Maps(inside)
    return known
