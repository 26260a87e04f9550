"""What stands beside each process and object in a drawing, in words. Pure.

A `Label` is the same for text and for pictures: a title, a level where there is one, and rows of words.
What is not known is said to be not visible; it is never drawn as nought.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.draw.doing import UNSEEN
from labkit.scene import (
    AnyObject,
    End,
    Epoll,
    EventFd,
    File,
    InetSocket,
    Lock,
    Memory,
    Other,
    Pipe,
    PosixMq,
    PosixSem,
    Scene,
    SignalFd,
    SysvMsg,
    SysvSem,
    SysvShm,
    TimerFd,
    UnixSocket,
)
from labkit.words import (
    EMPTY_MESSAGE,
    content,
    count,
    duration,
    listing,
    name,
    place,
    printable,
)

_CONTENT = 70
_MESSAGE = 44
"""So much of it stands beside a message's type and size in one line."""
_ROWS = 8
"""So many semaphores or messages are shown one by one."""


@dataclass(frozen=True, slots=True)
class Label:
    """One object in words."""

    title: str
    about: str = ""
    """What kind of thing it is, and how it is known: its path, key, addresses."""
    level: tuple[int, int] | None = None
    """How full, of how much."""
    amount: str = ""
    """The level in words."""
    content: str = ""
    """The first bytes in it."""
    rows: tuple[str, ...] = ()


def label(object: AnyObject, scene: Scene) -> Label:
    """What there is to say about an object."""
    made = _SAY[type(object)](object, scene)
    notes = (printable(note) for note in object.notes)
    rows = tuple(dict.fromkeys((*made.rows, *notes)))
    return dataclasses.replace(made, rows=rows)


def holders(ends: tuple[End, ...], scene: Scene) -> list[str]:
    """`child (4)` for each process that has this side."""
    fds: dict[int, list[str]] = {}
    for end in ends:
        fds.setdefault(end.pid, []).append(str(end.fd))
    return [f"{name(pid, scene)} ({', '.join(found)})" for pid, found in fds.items()]


def _title(object: AnyObject) -> str:
    return printable(object.id)


def _bytes(head: bytes | None, amount: int | None, most: int = _CONTENT) -> str:
    if amount == 0 or head == b"":
        return ""
    if head is None:
        return f"content {UNSEEN}"
    return content(head, most)


def _pipe(pipe: Pipe, scene: Scene) -> Label:
    if pipe.queued is None:
        amount = f"how full is {UNSEEN}"
    elif pipe.capacity is None:
        amount = count(pipe.queued, "byte")
    elif pipe.queued == 0:
        amount = f"empty, room for {count(pipe.capacity, 'byte')}"
    else:
        amount = f"{pipe.queued:,} of {count(pipe.capacity, 'byte')}"
    known = pipe.queued is not None and pipe.capacity
    return Label(
        _title(pipe),
        place(pipe.path or "", 60) if pipe.kind == "fifo" else "",
        (pipe.queued or 0, pipe.capacity or 1) if known else None,
        amount,
        "" if pipe.queued is None else _bytes(pipe.head, pipe.queued),
        _sides(pipe),
    )


def _sides(pipe: Pipe) -> tuple[str, ...]:
    if pipe.others:
        return ("somebody outside the picture holds it too",)
    outside = "" if pipe.others is False else " in the picture"
    rows = []
    if not pipe.writers:
        rows.append(f"no write end is open{outside}" + (": its reader sees the end" if not outside else ""))
    if not pipe.readers:
        rows.append(
            f"no read end is open{outside}" + (": a writer gets SIGPIPE, EPIPE" if not outside else "")
        )
    return tuple(rows)


def _listening(waiting: int | None, backlog: int | None) -> tuple[tuple[int, int] | None, str]:
    if waiting is None:
        return None, f"connections waiting: {UNSEEN}"
    if backlog is None:
        return None, f"{count(waiting, 'connection')} waiting"
    # The kernel lets one more wait than was asked for.
    return (waiting, backlog + 1), f"{count(waiting, 'connection')} waiting, backlog {backlog}"


def _unix(socket: UnixSocket, scene: Scene) -> Label:
    words = [word for word in (socket.type, socket.state, place(socket.path or "", 40)) if word]
    if socket.state == "listening":
        level, amount = _listening(socket.waiting, socket.backlog)
        return Label(_title(socket), ", ".join(words), level, amount)
    rows = []
    if socket.peer:
        rows.append(f"its other end is {printable(socket.peer)}")
    if socket.in_flight:
        rows.append(f"{count(socket.in_flight, 'descriptor')} in flight in the messages waiting here")
    amount = _to_receive(socket.queued)
    if not socket.queued and EMPTY_MESSAGE in socket.notes:
        amount = "0 bytes to receive"
    return Label(
        _title(socket), ", ".join(words), None, amount, _bytes(socket.head, socket.queued or 0), tuple(rows)
    )


def _to_receive(queued: int | None) -> str:
    if queued is None:
        return f"bytes to receive: {UNSEEN}"
    return f"{count(queued, 'byte')} to receive" if queued else "nothing to receive"


def _inet(socket: InetSocket, scene: Scene) -> Label:
    way = " → ".join(printable(end) for end in (socket.local, socket.remote) if end)
    words = ", ".join(word for word in (socket.protocol, socket.state, way) if word)
    if (socket.state or "").lower() in ("listening", "listen"):
        level, amount = _listening(socket.waiting, socket.backlog)
        return Label(_title(socket), words, level, amount)
    rows = [f"its other end is {printable(socket.peer)}"] if socket.peer else []
    if socket.send_queue:
        rows.append(f"{count(socket.send_queue, 'byte')} sent and not yet acknowledged")
    amount = _to_receive(socket.receive_queue)
    return Label(
        _title(socket), words, None, amount, _bytes(socket.head, socket.receive_queue or 0), tuple(rows)
    )


def _key(key: int | None, id: int | None) -> str:
    words = [] if key is None else ["private key" if key == 0 else f"key 0x{key & 0xFFFFFFFF:08x}"]
    return ", ".join(words + ([] if id is None else [f"id {id}"]))


def _size(size: int | None) -> str:
    return f"size {UNSEEN}" if size is None else count(size, "byte")


def _sysv_shm(shm: SysvShm, scene: Scene) -> Label:
    attached = f"attached: {UNSEEN}" if shm.attached is None else f"attached {count(shm.attached, 'time')}"
    rows = [f"made by {name(shm.creator, scene)}"] if shm.creator else []
    if shm.last and shm.last != shm.creator:
        rows.append(f"last attached or detached by {name(shm.last, scene)}")
    if shm.destroyed and not any("marked for destruction" in note for note in shm.notes):
        rows.append("removed: it goes when the last process detaches it")
    return Label(
        _title(shm),
        _key(shm.key, shm.shmid),
        None,
        f"{_size(shm.size)}, {attached}",
        _bytes(shm.head, shm.size),
        tuple(rows),
    )


def _at(values: tuple[Any, ...] | None, index: int) -> Any:
    return values[index] if values is not None and index < len(values) else None


def _sysv_sem(sem: SysvSem, scene: Scene) -> Label:
    if sem.values is None:
        return Label(_title(sem), _key(sem.key, sem.semid), None, f"values {UNSEEN}")
    rows = [_one_semaphore(sem, i, scene) for i in range(min(len(sem.values), _ROWS))]
    if len(sem.values) > _ROWS:
        rows.append(f"… and {len(sem.values) - _ROWS} more")
    amount = f"value {sem.values[0]}" if len(sem.values) == 1 else count(len(sem.values), "semaphore")
    return Label(_title(sem), _key(sem.key, sem.semid), None, amount, "", tuple(rows))


def _one_semaphore(sem: SysvSem, index: int, scene: Scene) -> str:
    words = [f"value {_at(sem.values, index)}"]
    if waiting := _at(sem.waiting, index):
        words.append(f"{waiting} waiting to take")
    if waiting := _at(sem.waiting_zero, index):
        words.append(f"{waiting} waiting for zero")
    if last := _at(sem.last, index):
        words.append(f"last used by {name(last, scene)}")
    return f"semaphore {index}: {', '.join(words)}"


def _sysv_msg(queue: SysvMsg, scene: Scene) -> Label:
    number = None if queue.messages is None else count(len(queue.messages), "message")
    size = f"size {UNSEEN}" if queue.bytes is None else f"{queue.bytes:,} of {_size(queue.capacity)}"
    known = queue.bytes is not None and queue.capacity
    rows = [
        f"type {m.type}, {count(m.size, 'byte')}  {_bytes(m.head, m.size, _MESSAGE)}".rstrip()
        for m in (queue.messages or ())[:_ROWS]
    ]
    if queue.messages is not None and len(queue.messages) > _ROWS:
        rows.append(f"… and {len(queue.messages) - _ROWS} more")
    return Label(
        _title(queue), _key(queue.key, queue.msqid),
        (queue.bytes or 0, queue.capacity or 1) if known else None,
        f"{number or 'messages ' + UNSEEN}, {size}", "", tuple(rows),
    )  # fmt: skip


def _memory(memory: Memory, scene: Scene) -> Label:
    had_a_name = memory.kind == "posix-shm" and memory.name.startswith("/")
    rows = ["its name is gone: it lives as long as somebody has it"] if memory.unlinked and had_a_name else []
    if memory.seals:
        rows.append(f"sealed: {', '.join(memory.seals)}")
    return Label(
        _title(memory),
        printable(memory.name, 50),
        None,
        _size(memory.size),
        _bytes(memory.head, memory.size),
        tuple(rows),
    )


def _posix_sem(sem: PosixSem, scene: Scene) -> Label:
    value = f"value {UNSEEN}" if sem.value is None else f"value {sem.value}"
    waiting = f", {sem.waiting} waiting" if sem.waiting else ""
    return Label(_title(sem), printable(sem.name, 50), None, value + waiting)


def _posix_mq(queue: PosixMq, scene: Scene) -> Label:
    if queue.queued is None:
        return Label(_title(queue), printable(queue.name, 50), None, f"messages {UNSEEN}")
    known = (queue.queued, queue.capacity) if queue.capacity else None
    amount = count(queue.queued, "message") + (f" of {queue.capacity}" if known else "")
    rows = () if queue.bytes is None else (count(queue.bytes, "byte"),)
    return Label(_title(queue), printable(queue.name, 50), known, amount, "", rows)


def _file(file: File, scene: Scene) -> Label:
    rows = ("its name is gone",) if file.deleted else ()
    return Label(_title(file), place(file.path or file.name, 60), None, _size(file.size), "", rows)


def _eventfd(event: EventFd, scene: Scene) -> Label:
    return Label(_title(event), "", None, f"count {UNSEEN if event.count is None else event.count}")


def _epoll(epoll: Epoll, scene: Scene) -> Label:
    if epoll.watching is None:
        return Label(_title(epoll), "", None, f"what it watches is {UNSEEN}")
    watched = [f"{w.fd} ({w.events})" for w in epoll.watching]
    return Label(_title(epoll), "", None, f"watches {listing(watched) or 'nothing'}")


def _signalfd(signals: SignalFd, scene: Scene) -> Label:
    names = UNSEEN if signals.signals is None else listing(list(signals.signals)) or "no signals"
    return Label(_title(signals), "", None, f"reads {names}")


def _timerfd(timer: TimerFd, scene: Scene) -> Label:
    if timer.remaining_ns is None:
        amount = f"when it rings is {UNSEEN}"
    else:
        amount = f"rings in {duration(timer.remaining_ns)}" if timer.remaining_ns else "not set"
    if timer.interval_ns:
        amount += f", then every {duration(timer.interval_ns)}"
    rows = (f"has rung {count(timer.ticks, 'time')}, unread",) if timer.ticks else ()
    return Label(_title(timer), "", None, amount, "", rows)


def _lock(lock: Lock, scene: Scene) -> Label:
    kind = {"write": "exclusive", "read": "shared"}.get(lock.mode or "", "")
    words = " ".join(word for word in (kind, lock.type, "on", printable(lock.file or "a file")) if word)
    if lock.start or lock.end is not None:
        words += f", bytes {lock.start or 0} to {'the end' if lock.end is None else lock.end}"
    if lock.holders is None:
        held = f"its holder is {UNSEEN}"
    else:
        held = f"held by {listing([name(pid, scene) for pid in lock.holders]) or 'nobody'}"
    waiting = [name(pid, scene) for pid in lock.waiting or ()]
    rows = (f"{listing(waiting)} {'waits' if len(waiting) == 1 else 'wait'} for it",) if waiting else ()
    return Label(_title(lock), words, None, held, "", rows)


def _other(object: AnyObject, scene: Scene) -> Label:
    return Label(_title(object), printable(object.name, 60))


_SAY: dict[type, Callable[[Any, Scene], Label]] = {
    Pipe: _pipe, UnixSocket: _unix, InetSocket: _inet, SysvShm: _sysv_shm, SysvSem: _sysv_sem,
    SysvMsg: _sysv_msg, Memory: _memory, PosixSem: _posix_sem, PosixMq: _posix_mq, File: _file,
    EventFd: _eventfd, Epoll: _epoll, SignalFd: _signalfd, TimerFd: _timerfd, Lock: _lock, Other: _other,
}  # fmt: skip
