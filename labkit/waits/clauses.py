"""One wait in words: who waits in which call for what, and who alone could end that. Pure."""

from __future__ import annotations

from collections.abc import Callable

from labkit.scene import (
    EventFd,
    File,
    InetSocket,
    Lock,
    Pipe,
    PosixMq,
    PosixSem,
    SysvMsg,
    SysvSem,
    UnixSocket,
)  # fmt: skip
from labkit.waits.enablers import Ending
from labkit.waits.seen import Seen
from labkit.words import ANY_SIGNAL, CHILDREN, CHOICES, SEMAPHORES, call, count, listing, place, quoted


def clause(seen: Seen, ending: Ending) -> str:
    who = f"{quoted(ending.pid, seen.scene)} waits in {call(ending.blocked)}"
    for fits, say in _WAYS:
        if fits(seen, ending):
            return say(seen, ending, who)
    return f"{who} for {ending.blocked.object}, which only {them(seen, ending)} could end"


def thing(seen: Seen, ending: Ending) -> object:
    return seen.objects.get(ending.blocked.object or "")


def reads(seen: Seen, ending: Ending) -> bool:
    return seen.reads(ending.pid, ending.blocked) and isinstance(thing(seen, ending), Pipe)


def _say_reads(seen: Seen, ending: Ending, who: str) -> str:
    pipe = ending.blocked.object
    own, others = ends(seen, ending.pid, pipe, "w"), [p for p in ending.by if p != ending.pid]
    if own and not others:
        only = "its only write end" if len(own) == 1 else "its only write ends"
        return f"{who} for {pipe} to end, but holds {only} itself ({descriptors(own)})"
    if own:
        also = listing([holder(seen, p, pipe, "w") for p in others])
        return f"{who} for {pipe} to end, but holds a write end itself ({descriptors(own)}), as does {also}"
    writers = listing([holder(seen, p, pipe, "w") for p in others], "or")
    return f"{who} for {pipe}, and only {writers} could write to it"


def _writes(seen: Seen, ending: Ending) -> bool:
    return seen.writes(ending.pid, ending.blocked) and isinstance(thing(seen, ending), Pipe)


def _say_writes(seen: Seen, ending: Ending, who: str) -> str:
    pipe = thing(seen, ending)
    assert isinstance(pipe, Pipe)
    full = f"{pipe.id} is full" + (f" ({count(pipe.queued, 'byte')})" if pipe.queued else "")
    if ending.by == (ending.pid,):
        own = descriptors(ends(seen, ending.pid, pipe.id, "r"))
        return f"{who}: {full}, and nobody but itself could read from it ({own})"
    readers = [holder(seen, p, pipe.id, "r") for p in ending.by]
    return f"{who}: {full}, and only {listing(readers, 'or')} could read from it"


def _connects(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call == "connect" and isinstance(thing(seen, ending), UnixSocket)


def _say_connects(seen: Seen, ending: Ending, who: str) -> str:
    listener = ending.blocked.object
    able = listing([holder(seen, p, listener, "") for p in ending.by if p != ending.pid], "or")
    if ending.by == (ending.pid,):
        able = f"it itself ({descriptors(ends(seen, ending.pid, listener, ''))})"
    return f"{who}: the line before {listener} is full, and only {able} could accept from it"


def _talks(seen: Seen, ending: Ending) -> bool:
    return isinstance(thing(seen, ending), (UnixSocket, InetSocket))


def _say_talks(seen: Seen, ending: Ending, who: str) -> str:
    socket = thing(seen, ending)
    assert isinstance(socket, (UnixSocket, InetSocket))
    peers = listing([holder(seen, p, socket.peer, "") for p in ending.by], "or")
    if ending.by == (ending.pid,):
        peers = f"it itself ({descriptors(ends(seen, ending.pid, socket.peer, ''))})"
    if seen.writes(ending.pid, ending.blocked):
        return f"{who}: what it sent is still unread, and only {peers} could read it"
    return f"{who} on {socket.id}, and only {peers} could send something"


def _counts(seen: Seen, ending: Ending) -> bool:
    return isinstance(thing(seen, ending), EventFd)


def _say_counts(seen: Seen, ending: Ending, who: str) -> str:
    counter, they = ending.blocked.object, _them_or_itself(seen, ending)
    if seen.writes(ending.pid, ending.blocked):
        return f"{who}: {counter} has no room, and only {they} could read it"
    return f"{who} for {counter}, which only {they} could count up"


def waits_for_children(seen: Seen, ending: Ending) -> bool:
    """By a call for it, by one for the signal that tells of it, or by a poll of pidfds alone."""
    blocked = ending.blocked
    if blocked.call in CHILDREN | ANY_SIGNAL:
        return True
    return bool(blocked.children and len(blocked.on) == len(blocked.children))


def _say_children(seen: Seen, ending: Ending, who: str) -> str:
    return f"{who} for {them(seen, ending)} to end"


def _chooses(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in CHOICES


def _say_chooses(seen: Seen, ending: Ending, who: str) -> str:
    things = list(dict.fromkeys(w.object or f"descriptor {w.fd}" for w in ending.blocked.on))
    return f"{who} for {listing(things, 'or')}, and only {_them_or_itself(seen, ending)} could make one ready"


def is_lock(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in ("flock", "fcntl", "lockf", "fcntl64")


def _say_lock(seen: Seen, ending: Ending, who: str) -> str:
    what = f"the lock on {_locked(seen, ending)}"
    if ending.by == (ending.pid,):
        return f"{who} for {what}, which it holds itself through another descriptor"
    holders = listing([quoted(p, seen.scene) if p != ending.pid else "it itself" for p in ending.by])
    return f"{who} for {what}, which {holders} {'holds' if len(ending.by) == 1 else 'hold'}"


def _locked(seen: Seen, ending: Ending) -> str:
    """The locked file's path, or at least its id."""
    lock = thing(seen, ending)
    id = lock.file if isinstance(lock, Lock) and lock.file else ending.blocked.object
    file = seen.objects.get(id or "")
    return place(file.path, 60) if isinstance(file, File) and file.path else str(id)


def takes(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in SEMAPHORES


def _say_takes(seen: Seen, ending: Ending, who: str) -> str:
    sem = thing(seen, ending)
    several = isinstance(sem, SysvSem) and sem.values is not None and len(sem.values) > 1
    what = f"semaphore {ending.thing[1]} of {ending.thing[0]}" if several else str(ending.thing[0])
    return f"{who} for {what}, last used by {them(seen, ending)}"


def sleeps_on_word(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call == "futex" or isinstance(thing(seen, ending), PosixSem)


def _say_word(seen: Seen, ending: Ending, who: str) -> str:
    if ending.blocked.object is not None:
        return f"{who} for {ending.blocked.object}, which only {_them_or_itself(seen, ending)} could release"
    if len(seen.live[ending.pid]) > 1:
        name = quoted(ending.pid, seen.scene)
        return f"every thread of {name} waits for another of them to let go or to wake it"
    return f"{who} for a lock or an event in its own memory, and no other thread is there to let it go on"


def _queues(seen: Seen, ending: Ending) -> bool:
    return isinstance(thing(seen, ending), (PosixMq, SysvMsg))


def _say_queues(seen: Seen, ending: Ending, who: str) -> str:
    sending = "snd" in ending.blocked.call or "send" in ending.blocked.call
    what, do = ("room in", "receive from it") if sending else ("a message in", "send one")
    return f"{who} for {what} {ending.blocked.object}, and only {_them_or_itself(seen, ending)} could {do}"


_WAYS: list[tuple[Callable[[Seen, Ending], bool], Callable[[Seen, Ending, str], str]]] = [
    (waits_for_children, _say_children),
    (_chooses, _say_chooses),
    (takes, _say_takes),
    (sleeps_on_word, _say_word),
    (is_lock, _say_lock),
    (reads, _say_reads),
    (_writes, _say_writes),
    (_connects, _say_connects),
    (_talks, _say_talks),
    (_counts, _say_counts),
    (_queues, _say_queues),
]


def _them_or_itself(seen: Seen, ending: Ending) -> str:
    names = [quoted(p, seen.scene) for p in ending.by if p != ending.pid]
    return listing([*names, "it itself"] if ending.pid in ending.by else names, "or")


def ends(seen: Seen, pid: int, object: str | None, side: str) -> list[int]:
    """The descriptors with which a process holds this side of an object."""
    process = seen.processes.get(pid)
    rows = process.descriptors if process else None
    found = [d.fd for d in rows or () if d.object == object and side in (d.mode or "rw")]
    pipe = seen.objects.get(object or "")
    if not found and isinstance(pipe, Pipe):
        found = [e.fd for e in (pipe.writers if side == "w" else pipe.readers) if e.pid == pid]
    return found


def descriptors(fds: list[int]) -> str:
    if not fds:
        return "by a descriptor"
    return f"descriptor {fds[0]}" if len(fds) == 1 else f"descriptors {listing([str(fd) for fd in fds])}"


def holder(seen: Seen, pid: int, object: str | None, side: str) -> str:
    return f"{quoted(pid, seen.scene)} ({descriptors(ends(seen, pid, object, side))})"


def them(seen: Seen, ending: Ending) -> str:
    return listing([quoted(pid, seen.scene) for pid in ending.by], "or")
