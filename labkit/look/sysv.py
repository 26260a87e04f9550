"""System V segments, semaphore sets and message queues in the picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from labkit.errors import NotVisible
from labkit.kernel import namespaces, sysv
from labkit.look import Look
from labkit.look.memory import everything, mapped_head
from labkit.scene import Message, SysvMsg, SysvSem, SysvShm

_T = TypeVar("_T")


def objects(look: Look) -> None:
    """Describe what is attached, waited on, made or last used by a process of the picture."""
    pid = next((pid for pid in look.seen if look.held.get(pid) is not None), None)
    if pid is None:
        return
    try:
        namespaces.call(pid, "ipc", lambda: _objects(look))
        _strangers(look, pid)
    except NotVisible as error:
        look.limit("System V objects", str(error))
    _unseen(look)


def _unseen(look: Look) -> None:
    """What a process has attached or waits on, and the kernel did not list: just gone, or not shown."""
    for kind, (make, number) in _UNSEEN.items():
        for identity, id in look.reached(kind).items():
            if id not in look.objects:
                name = _name(look, kind, identity, 0)  # type: ignore[arg-type]
                look.add(make(id=id, kind=kind, name=name, **{number: identity}))  # type: ignore[arg-type]


_UNSEEN: dict[str, tuple[type[SysvShm | SysvSem | SysvMsg], str]] = {
    "sysv-shm": (SysvShm, "shmid"),
    "sysv-sem": (SysvSem, "semid"),
    "sysv-msg": (SysvMsg, "msqid"),
}


def _strangers(look: Look, first: int) -> None:
    """Ids mean nothing across namespaces: the picture has those of the first process's."""
    own = namespaces.identity(first, "ipc")
    for pid in look.seen:
        other = namespaces.identity(pid, "ipc")
        if None not in (own, other) and own != other:
            look.limit(
                f"System V objects of {look.seen[pid].name}",
                f"it is in another IPC namespace than {look.seen[first].name}: look at it alone",
            )


def _objects(look: Look) -> None:
    for segment in _wanted(look, "sysv-shm", sysv.segments(), lambda s: s.shmid, lambda s: {s.creator}):
        look.add(_segment(look, segment))
    for queue in _wanted(
        look, "sysv-msg", sysv.queues(), lambda q: q.msqid, lambda q: {q.last_sender, q.last_receiver}
    ):
        look.add(_queue(look, queue))
    states: dict[int, sysv.Semaphores | None] = {}
    for set_ in _wanted(
        look, "sysv-sem", sysv.semaphore_sets(), lambda s: s.semid, lambda s: _users(look, s, states)
    ):
        look.add(_semaphores(look, set_, states))


def _wanted(
    look: Look,
    kind: str,
    found: Iterable[_T],
    id: Callable[[_T], int],
    users: Callable[[_T], set[int]],
) -> list[_T]:
    """Those that belong into the picture: reached already, or used by its processes, or asked for."""
    reached = look.reached(kind)
    whole, mine = everything(look), os.getuid()
    wanted = []
    for one in found:
        own = not look.all_objects or mine in (one.uid, one.cuid)  # type: ignore[attr-defined]
        if id(one) in reached or (whole and own) or users(one) & look.seen.keys():
            wanted.append(one)
    return wanted


def _name(look: Look, kind: str, number: int, key: int) -> str:
    """By its key, also after its removal took that away; one without a key by its number in the picture."""
    kept = look.recall.kept
    if key:
        kept["key", kind, number] = key
    key = kept.get(("key", kind, number), 0)
    return f"key 0x{key:x}" if key else f"{look.reach(kind, number)} (private)"


# --- shared memory ----------------------------------------------------------------------------------


def _segment(look: Look, segment: sysv.Segment) -> SysvShm:
    id = look.reach("sysv-shm", segment.shmid)
    head = mapped_head(look, id, min(sysv.HEAD_BYTES, segment.size))
    return SysvShm(
        id=id,
        kind="sysv-shm",
        name=_name(look, "sysv-shm", segment.shmid, segment.key),
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


def _state(
    look: Look, set_: sysv.SemaphoreSet, states: dict[int, sysv.Semaphores | None]
) -> sysv.Semaphores | None:
    if set_.semid not in states:
        try:
            states[set_.semid] = sysv.state(set_.semid, set_.semaphores)
        except OSError as error:
            states[set_.semid] = None
            if isinstance(error, PermissionError):
                look.kept.setdefault("sets refused", set()).add(set_.semid)
    return states[set_.semid]


def _users(look: Look, set_: sysv.SemaphoreSet, states: dict[int, sysv.Semaphores | None]) -> set[int]:
    state = _state(look, set_, states)
    return set(state.last or ()) if state else set()


def _semaphores(look: Look, set_: sysv.SemaphoreSet, states: dict[int, sysv.Semaphores | None]) -> SysvSem:
    state = _state(look, set_, states)
    name = _name(look, "sysv-sem", set_.semid, set_.key)
    if set_.semid in look.kept.get("sets refused", ()):
        look.limit(f"the values of semaphore set {name}", "its permissions do not let this user read it")
    return SysvSem(
        id=look.reach("sysv-sem", set_.semid),
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


def _queue(look: Look, queue: sysv.Queue) -> SysvMsg:
    name = _name(look, "sysv-msg", queue.msqid, queue.key)
    messages = _messages(look, name, queue)
    left = queue.messages - len(messages) if messages is not None else 0
    return SysvMsg(
        id=look.reach("sysv-msg", queue.msqid),
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
