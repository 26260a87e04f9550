"""System V segments, semaphore sets and message queues in the picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from labkit.errors import NotVisible
from labkit.kernel import namespaces, sysv
from labkit.look import Look
from labkit.look.memory import everything, mapped_head
from labkit.scene import Message, SysvMsg, SysvSem, SysvShm

_T = TypeVar("_T")


def objects(look: Look) -> None:
    """Describe what is attached, waited on, made or last used by a process of the picture."""
    for space, pid in _spaces(look).items():
        try:
            namespaces.call(pid, "ipc", _Space(look, space).describe)
        except NotVisible as error:
            whose = "" if space is None else f" of {look.seen[pid].name}"
            look.limit(f"System V objects{whose}", str(error))
    _unseen(look)


def identity(look: Look, pid: int, number: int) -> Hashable:
    """What tells an object of this number from all others, for a process that uses it.

    Numbers mean nothing across IPC namespaces; those of the picture's first process go without a name.
    """
    names: dict[int, bytes | None] = look.kept.setdefault("IPC namespaces", {})
    for one in (_first(look), pid):
        if one is not None and one not in names:
            names[one] = namespaces.identity(one, "ipc")
    first, own = names.get(_first(look) or 0), names.get(pid)
    return number if own is None or own == first else (own, number)


def _first(look: Look) -> int | None:
    return next((pid for pid in look.seen if look.held.get(pid) is not None), None)


def _spaces(look: Look) -> dict[bytes | None, int]:
    """The IPC namespaces of the picture, each with somebody who is in it."""
    found: dict[bytes | None, int] = {}
    for pid in look.seen:
        if look.held.get(pid) is not None:
            own = identity(look, pid, 0)
            found.setdefault(own[0] if isinstance(own, tuple) else None, pid)
    if not found and everything(look):
        found[None] = os.getpid()  # nobody is left, and what they left is to be seen
    return found


def _unseen(look: Look) -> None:
    """What a process has attached or waits on, and the kernel did not list: just gone, or not shown."""
    for kind, (make, number) in _UNSEEN.items():
        for identity, id in look.reached(kind).items():
            if id not in look.objects:
                known = identity[1] if isinstance(identity, tuple) else identity
                name = _name(look, kind, identity, 0)
                look.add(make(id=id, kind=kind, name=name, **{number: known}))  # type: ignore[arg-type]


_UNSEEN: dict[str, tuple[type[SysvShm | SysvSem | SysvMsg], str]] = {
    "sysv-shm": (SysvShm, "shmid"),
    "sysv-sem": (SysvSem, "semid"),
    "sysv-msg": (SysvMsg, "msqid"),
}


class _Space:
    """The objects of one IPC namespace, described by a thread that is in it."""

    def __init__(self, look: Look, name: bytes | None) -> None:
        self.look = look
        self.name = name
        self.states: dict[int, sysv.Semaphores | None] = {}

    def identity(self, number: int) -> Hashable:
        return number if self.name is None else (self.name, number)

    def describe(self) -> None:
        for segment in self._wanted("sysv-shm", sysv.segments(), lambda s: s.shmid, lambda s: {s.creator}):
            self.look.add(_segment(self.look, segment, self.identity(segment.shmid)))
        for queue in self._wanted("sysv-msg", sysv.queues(), lambda q: q.msqid, _users_of_queue):
            self.look.add(_queue(self.look, queue, self.identity(queue.msqid)))
        for set_ in self._wanted("sysv-sem", sysv.semaphore_sets(), lambda s: s.semid, self._users):
            self.look.add(_semaphores(self.look, set_, self._state(set_), self.identity(set_.semid)))

    def _wanted(
        self, kind: str, found: Iterable[_T], number: Callable[[_T], int], users: Callable[[_T], set[int]]
    ) -> list[_T]:
        """Those that belong into the picture: reached already, or used by its processes, or asked for."""
        reached = self.look.reached(kind)
        whole, mine = everything(self.look), os.getuid()
        wanted = []
        for one in found:
            own = not self.look.all_objects or mine in (one.uid, one.cuid)  # type: ignore[attr-defined]
            own = own and (kind, number(one)) not in self.look.strangers
            known = self.identity(number(one)) in reached
            if known or (whole and own) or users(one) & self.look.seen.keys():
                wanted.append(one)
        return wanted

    def _users(self, set_: sysv.SemaphoreSet) -> set[int]:
        state = self._state(set_)
        return set(state.last or ()) if state else set()

    def _state(self, set_: sysv.SemaphoreSet) -> sysv.Semaphores | None:
        if set_.semid not in self.states:
            try:
                self.states[set_.semid] = sysv.state(set_.semid, set_.semaphores)
            except OSError as error:
                self.states[set_.semid] = None
                if isinstance(error, PermissionError):
                    self.look.kept.setdefault("sets refused", set()).add(self.identity(set_.semid))
        return self.states[set_.semid]


def _users_of_queue(queue: sysv.Queue) -> set[int]:
    return {queue.last_sender, queue.last_receiver}


def _name(look: Look, kind: str, number: Hashable, key: int) -> str:
    """By its key, also after its removal took that away; one without a key by its number in the picture."""
    kept = look.recall.kept
    if key:
        kept["key", kind, number] = key
    key = kept.get(("key", kind, number), 0)
    return f"key 0x{key:x}" if key else f"{look.reach(kind, number)} (private)"


# --- shared memory ----------------------------------------------------------------------------------


def _segment(look: Look, segment: sysv.Segment, identity: Hashable) -> SysvShm:
    id = look.reach("sysv-shm", identity)
    head = mapped_head(look, id, min(sysv.HEAD_BYTES, segment.size))
    return SysvShm(
        id=id,
        kind="sysv-shm",
        name=_name(look, "sysv-shm", identity, segment.key),
        notes=tuple(_segment_notes(segment, head)),
        key=segment.key,
        shmid=segment.shmid,
        size=segment.size,
        mode=segment.mode,
        attached=segment.attached,
        creator=segment.creator or None,
        last=segment.last or None,
        destroyed=segment.destroyed,
        head=head,
    )


def _segment_notes(segment: sysv.Segment, head: bytes | None) -> list[str]:
    notes = []
    if segment.destroyed:
        notes.append("marked for destruction: it goes when the last process detaches")
    if head is None:
        notes.append(
            "its bytes are seen only through a process of the picture that has it attached and has "
            "touched its first page"
        )
    return notes


# --- semaphore sets ---------------------------------------------------------------------------------


def _semaphores(
    look: Look, set_: sysv.SemaphoreSet, state: sysv.Semaphores | None, identity: Hashable
) -> SysvSem:
    name = _name(look, "sysv-sem", identity, set_.key)
    if identity in look.kept.get("sets refused", ()):
        look.limit(f"the values of semaphore set {name}", "its permissions do not let this user read it")
    return SysvSem(
        id=look.reach("sysv-sem", identity),
        kind="sysv-sem",
        name=name,
        key=set_.key,
        semid=set_.semid,
        mode=set_.mode,
        values=state.values if state else None,
        waiting=state.waiting if state else None,
        waiting_zero=state.waiting_zero if state else None,
        last=state.last if state else None,
    )


# --- message queues ---------------------------------------------------------------------------------


def _queue(look: Look, queue: sysv.Queue, identity: Hashable) -> SysvMsg:
    id, name = look.reach("sysv-msg", identity), _name(look, "sysv-msg", identity, queue.key)
    look.kept.setdefault("users of queues", {})[id] = _users_of_queue(queue)
    messages = _messages(look, name, queue)
    left = queue.messages - len(messages) if messages is not None else 0
    return SysvMsg(
        id=id,
        kind="sysv-msg",
        name=name,
        notes=(f"{left} more messages behind these",) if left > 0 else (),
        key=queue.key,
        msqid=queue.msqid,
        mode=queue.mode,
        bytes=queue.bytes,
        capacity=sysv.capacity(queue.msqid),
        messages=messages,
    )


def _messages(look: Look, name: str, queue: sysv.Queue) -> tuple[Message, ...] | None:
    try:
        found = sysv.messages(queue)
    except PermissionError:
        look.limit(f"the messages in queue {name}", "its permissions do not let this user read it")
        return None
    except OSError as error:
        look.limit("the messages in System V queues", f"msgrcv with MSG_COPY: {error.strerror}")
        return None
    return tuple(Message(m.type, m.size, m.head) for m in found)
