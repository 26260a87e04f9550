"""Who could end a wait: for each blocked thread, the processes seen that could, and who else might.

Everything here answers for one thread at a time; `waits` puts the answers together. There are four
answers to "could somebody end this whom we do not see?":

    OPEN      yes, or not known: the thread counts as able to go on.
    CLOSED    no: only those listed can.
    RELATED   strangers practically cannot (a private key that no relative outside knows); the wait counts
              as one that can't end only if another process listed waits, by whatever way, for this one.
    CROSSED   strangers could (a name in the file system, a public key), but need not exist; it counts
              only if, besides, that other process waits for a *different* thing. So two processes that
              took two semaphores crosswise are found, and a consumer whose producer has not been
              started yet is left in peace.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.scene import (
    AnyObject,
    Blocked,
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
    SysvMsg,
    SysvSem,
    SysvShm,
    UnixSocket,
    WatchedFd,
)  # fmt: skip
from labkit.waits.seen import Seen
from labkit.words import ANY_SIGNAL, CHILDREN, CHOICES, SEMAPHORES


class Proof(enum.Enum):
    OPEN = 0
    RELATED = 1
    CROSSED = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class Ending:
    """What could end the wait of one thread."""

    pid: int
    tid: int
    blocked: Blocked
    by: tuple[int, ...] = ()
    """Who is seen that could end it, in order of pid."""
    proof: Proof = Proof.OPEN
    also: frozenset[int] = frozenset()
    """Who else could, by an unusual way: nothing is claimed while one of these can act."""
    thing: tuple[str | None, int] = (None, 0)
    """What is waited for: the object's id, and the number of the semaphore in its set."""
    each: tuple[frozenset[int], ...] = ()
    """Where every one of several must let go: who could make each do so. One stuck group is enough."""


def endings(seen: Seen) -> list[Ending]:
    """For each thread that is blocked in a call: who could end that."""
    return [
        ending(seen, pid, thread.tid, thread.blocked)
        for pid, threads in sorted(seen.live.items())
        for thread in threads
        if thread.blocked is not None and thread.state == "sleeping"
    ]


def ending(seen: Seen, pid: int, tid: int, blocked: Blocked) -> Ending:
    """Who could end this wait."""
    by, proof, also, part = _who(seen, pid, blocked)
    if blocked.timed is not False or not by:
        proof = Proof.OPEN
    lock = _waited_lock(seen, pid, blocked)
    each = tuple(_unlockers(seen, lock, holder) for holder in sorted(by)) if lock else ()
    return Ending(pid, tid, blocked, tuple(sorted(by)), proof, frozenset(also), (blocked.object, part), each)


_Who = tuple[set[int], Proof, Iterable[int], int]
_NOT_KNOWN: _Who = (set(), Proof.OPEN, (), 0)


def _who(seen: Seen, pid: int, blocked: Blocked) -> _Who:
    if blocked.call in CHILDREN:
        return _children(seen, blocked)
    if blocked.call in ANY_SIGNAL:
        return seen.told_of(pid), Proof.CLOSED, (), 0
    if blocked.call in CHOICES:
        return _choice(seen, pid, blocked)
    if blocked.call in SEMAPHORES:
        return _sysv_semaphore(seen, pid, blocked)
    object = seen.objects.get(blocked.object or "")
    if blocked.call == "futex" or isinstance(object, PosixSem):
        return _futex(seen, pid, object, blocked)
    if _waits_for_lock(object, blocked):
        return _lock(seen, pid, blocked)
    if isinstance(object, PosixMq):
        return _posix_queue(seen, pid, object, blocked)
    if isinstance(object, SysvMsg):
        # Whoever knows its number may send or take; that of a private queue is known to relatives.
        ours = object.key == 0 and object.others is False
        return (set(seen.live) - {pid}, Proof.RELATED, seen.live, 0) if ours else _NOT_KNOWN
    if blocked.call == "connect":
        return _line(seen, object)
    if seen.reads(pid, blocked):
        return _ready(seen, pid, object, reading=True)
    if seen.writes(pid, blocked):
        return _ready(seen, pid, object, reading=False)
    return _NOT_KNOWN


def _children(seen: Seen, blocked: Blocked) -> _Who:
    children = set(blocked.children or ())
    alive = all(child in seen.live for child in children)
    return children, Proof.CLOSED if alive else Proof.OPEN, (), 0


def _choice(seen: Seen, pid: int, blocked: Blocked) -> _Who:
    """A poll ends when any of its descriptors is ready: all of them must be hopeless."""
    by, proof, also, _ = _any_of(seen, pid, blocked.on)
    epoll = seen.holders(blocked.object) if blocked.object else set()
    if blocked.children:  # behind pidfds
        proof = proof if all(child in seen.live for child in blocked.children) else Proof.OPEN
    return by | set(blocked.children or ()), proof, {*also, *epoll}, 0


def _any_of(seen: Seen, pid: int, watching: Iterable[WatchedFd]) -> _Who:
    by: set[int] = set()
    also: set[int] = set()
    proof = Proof.CLOSED
    for watched in watching:
        object = seen.objects.get(watched.object or "")
        if isinstance(object, Other) and object.name == "pidfd" and watched.events == "readable":
            continue
        for reading, word in ((True, "readable"), (False, "writable")):
            if word in watched.events:
                if isinstance(object, Pipe):
                    more, one, others, _ = _pipe_watched(seen, pid, object, watched.fd, reading)
                else:
                    more, one, others, _ = _ready(seen, pid, object, reading)
                by |= more
                also |= set(others)
                proof = proof if one is Proof.CLOSED else Proof.OPEN
        if "able" not in watched.events:
            proof = Proof.OPEN
    return by, proof, also, 0


def _ready(seen: Seen, pid: int, object: AnyObject | None, reading: bool) -> _Who:
    """Who could make this readable (or writable, or end it)."""
    if isinstance(object, Pipe):
        return _pipe(seen, pid, object, reading)
    if isinstance(object, (UnixSocket, InetSocket)):
        return _socket(seen, pid, object, reading)
    if isinstance(object, Epoll) and object.watching and reading:
        by, proof, also, _ = _any_of(seen, pid, object.watching)
        return by, proof, {*also, *seen.holders(object.id)}, 0
    if isinstance(object, EventFd):
        by = seen.holders(object.id)
        still = not object.count if reading else bool(object.count)
        return by, _own_pipe(seen, pid, by, still and object.others is False and not seen.in_flight), (), 0
    return _NOT_KNOWN


def _pipe(seen: Seen, pid: int, pipe: Pipe, reading: bool) -> _Who:
    by = {end.pid for end in (pipe.writers if reading else pipe.readers)}
    moving = bool(pipe.queued) if reading else pipe.queued == 0
    proven = pipe.others is False and not moving and not seen.in_flight
    proof = _own_pipe(seen, pid, by, proven) if reading else Proof.CLOSED if proven else Proof.OPEN
    if pipe.kind == "fifo" and proof is Proof.CLOSED:
        # A server that keeps a write end of its own FIFO open waits for strangers: that is its trade.
        proof = Proof.OPEN if pid in by else Proof.CROSSED
    return by, proof, (), 0


def _pipe_watched(seen: Seen, pid: int, pipe: Pipe, fd: int, reading: bool) -> _Who:
    """An end that is watched for what it never can be tells only that the other side is gone, as an event
    loop wants to know of the pipes it writes to (POLLERR)."""
    mode = seen.mode(pid, fd, pipe.id)
    if mode is not None and ("r" if reading else "w") in mode:
        return _pipe(seen, pid, pipe, reading)
    others = [*(pipe.readers if mode != "r" else ()), *(pipe.writers if mode != "w" else ())]
    by = {end.pid for end in others}
    return by, _own_pipe(seen, pid, by, pipe.others is False and not seen.in_flight), (), 0


def _own_pipe(seen: Seen, pid: int, by: set[int], proven: bool) -> Proof:
    """A process may mean to be woken through its own pipe, by a signal handler that writes into it."""
    if not proven or (pid in by and seen.awaits_signals(pid)):
        return Proof.OPEN
    return Proof.CLOSED


def _socket(seen: Seen, pid: int, socket: UnixSocket | InetSocket, reading: bool) -> _Who:
    peer = seen.objects.get(socket.peer or "")
    if not isinstance(peer, (UnixSocket, InetSocket)):
        return _NOT_KNOWN
    by, own = seen.holders(peer.id), seen.holders(socket.id)
    moving = _arriving(socket, peer) if reading else _leaving(socket)
    proven = peer.others is False and socket.others is False and not (
        moving or seen.hidden or seen.in_flight or _strangers_can_send(socket)
    )  # fmt: skip
    return by, _own_pipe(seen, pid, by, proven), own - {pid}, 0


def _arriving(socket: UnixSocket | InetSocket, peer: UnixSocket | InetSocket) -> bool:
    """Is there something for it, here or on its way? (What was sent to a listener is not this one's.)"""
    if isinstance(socket, UnixSocket):
        return bool(socket.queued)
    sent = isinstance(peer, InetSocket) and peer.state != "LISTEN" and peer.send_queue != 0
    return bool(socket.receive_queue) or sent


def _leaving(socket: UnixSocket | InetSocket) -> bool:
    """May room come without anybody's help, by an acknowledgement that is on its way?"""
    return isinstance(socket, InetSocket) and socket.in_transit != 0


def _line(seen: Seen, object: AnyObject | None) -> _Who:
    """A full line before a listener moves only when somebody accepts."""
    if not isinstance(object, UnixSocket) or object.state != "listening":
        return _NOT_KNOWN
    full = (object.waiting or 0) > (object.backlog or 0)
    proven = full and object.others is False and not seen.hidden and not seen.in_flight
    return set(seen.holders(object.id)), Proof.CLOSED if proven else Proof.OPEN, (), 0


def _strangers_can_send(socket: UnixSocket | InetSocket) -> bool:
    if socket.state == "listening":
        return True
    if isinstance(socket, UnixSocket):
        return socket.type == "dgram" and socket.path is not None
    return not (socket.protocol or "").startswith("tcp")


def _posix_queue(seen: Seen, pid: int, queue: PosixMq, blocked: Blocked) -> _Who:
    """A queue with a name may be opened by anybody; of one without, all who have it are seen."""
    receiving = "receive" in blocked.call
    by = seen.holders(queue.id, "w" if receiving else "r")
    still = queue.queued == (0 if receiving else queue.capacity)
    proven = queue.unlinked and queue.others is False and still and not seen.in_flight
    return by if proven else by - {pid}, _own_pipe(seen, pid, by, bool(proven)), (), 0


def _sysv_semaphore(seen: Seen, pid: int, blocked: Blocked) -> _Who:
    """Whoever last did something to the semaphore holds it; but anybody in the picture may post it."""
    sem = seen.objects.get(blocked.object or "")
    if not isinstance(sem, SysvSem) or sem.values is None or sem.last is None:
        return _NOT_KNOWN
    number = _hopeless(sem.values, blocked.operations)
    if number is None or number >= len(sem.last):
        return _NOT_KNOWN
    last = sem.last[number]
    if last not in seen.live or last == pid:
        # Who took it has gone; or it set the value itself, or waited for zero.
        return set(), Proof.OPEN, (), number
    return {last}, _set(sem), seen.live, number


def _set(sem: SysvSem) -> Proof:
    if sem.others or (sem.key == 0 and sem.others is None):
        return Proof.OPEN
    return Proof.RELATED if sem.key == 0 else Proof.CROSSED


def _hopeless(values: tuple[int, ...], operations: tuple[tuple[int, int], ...]) -> int | None:
    """The number of the first semaphore whose value does not allow its operation; None: all do."""
    now = list(values)
    for number, change in operations:
        if number >= len(now):
            return None
        if (change == 0 and now[number] != 0) or now[number] + change < 0:
            return number
        now[number] += change
    return None


def _futex(seen: Seen, pid: int, object: AnyObject | None, blocked: Blocked) -> _Who:
    if blocked.object is None:
        # A word in the process's own memory: nobody else can get at it.
        known = seen.processes[pid].mappings is not None
        return {pid}, Proof.CLOSED if known else Proof.OPEN, (), 0
    if not isinstance(object, (PosixSem, Memory, SysvShm)):
        return _NOT_KNOWN
    memory = seen.objects.get(object.inside or "") if isinstance(object, PosixSem) else object
    if not isinstance(memory, (PosixSem, Memory, SysvShm)):
        memory = object
    value = object.value if isinstance(object, PosixSem) else None
    return seen.users(memory.id) | {pid}, Proof.OPEN if value else _shared_word(memory), (), 0


def _shared_word(memory: PosixSem | Memory | SysvShm) -> Proof:
    if memory.others:
        return Proof.OPEN
    if isinstance(memory, SysvShm):
        return Proof.CROSSED
    nameless = memory.kind == "memfd" or memory.unlinked is not False
    return Proof.CLOSED if memory.others is False and nameless else Proof.CROSSED


# --- locks ------------------------------------------------------------------------------------------


def _waits_for_lock(object: AnyObject | None, blocked: Blocked) -> bool:
    return isinstance(object, (Lock, File)) and blocked.call in ("flock", "fcntl", "lockf", "fcntl64")


def _waited_lock(seen: Seen, pid: int, blocked: Blocked) -> Lock | None:
    """The lock that this call waits for."""
    object = seen.objects.get(blocked.object or "")
    if not _waits_for_lock(object, blocked):
        return None
    if isinstance(object, Lock):
        return object
    locks = (o for o in seen.scene.objects if isinstance(o, Lock) and o.file == blocked.object)
    return next((lock for lock in locks if pid in (lock.waiting or ())), None)


def _lock(seen: Seen, pid: int, blocked: Blocked) -> _Who:
    """Each holder must let go. What one holds by a record lock is in nobody's own way; nor is what one holds
    through the same description."""
    lock = _waited_lock(seen, pid, blocked)
    if lock is None or not lock.holders:
        return _NOT_KNOWN
    if lock.type != "posix" and lock.others is not False:
        return _NOT_KNOWN
    if not all(holder in seen.live for holder in lock.holders):
        return _NOT_KNOWN
    by = set(lock.holders)
    if lock.type == "posix" or (lock.type == "ofd" and len(by) > 1):
        by -= {pid}
    return by, Proof.CLOSED, (), 0


def _unlockers(seen: Seen, lock: Lock, holder: int) -> frozenset[int]:
    """The holder, and whoever has its open file description too; of a record lock, the holder alone."""
    if lock.type == "posix":
        return frozenset({holder})
    return frozenset({holder, *_share_description(seen, {holder}, lock.file)})


def _share_description(seen: Seen, holders: set[int], file: str | None) -> set[int]:
    """Those who have the holders' open file description too, and could unlock it."""
    descriptions = {
        held.description
        for pid in holders
        for held in seen.processes[pid].descriptors or ()
        if held.object == file and held.description is not None
    }
    return {
        process.pid
        for process in seen.scene.processes
        for held in process.descriptors or ()
        if held.description in descriptions
    }
