"""Why some processes can never go on: who waits for what, who could have ended it, what to change. Pure.

Names stand in backquotes, descriptors as numbers, so that a learner finds both in the program.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.enablers import Ending, Seen
from labkit.scene import EventFd, InetSocket, Lock, Pipe, PosixSem, SysvSem, UnixSocket
from labkit.words import CHILDREN, CHOICES, READS, SEMAPHORES, WRITES, call, count, listing, quoted

_MOST = 4
"""So many waits are told one by one."""


def sentence(seen: Seen, knot: list[Ending], followers: list[Ending]) -> str:
    """What holds the knot together, how to undo it, and who merely waits for it."""
    told = [_clause(seen, ending) for ending in _by_process(knot)[:_MOST]]
    more = len({e.pid for e in knot}) - _MOST
    if more > 0:
        told.append(f"{count(more, 'other process', 'other processes')} of the same knot wait likewise")
    text = f"{'; '.join(told)}: {_remedy(seen, knot)}."
    waiting = _by_process(followers)
    if waiting:
        text += f" {_followers(seen, waiting)}"
    return text


def _by_process(endings: list[Ending]) -> list[Ending]:
    """One wait for each process: that of its main thread, or else its first."""
    chosen: dict[int, Ending] = {}
    for ending in endings:
        if ending.pid not in chosen or ending.tid == ending.pid:
            chosen[ending.pid] = ending
    return list(chosen.values())


def _followers(seen: Seen, waiting: list[Ending]) -> str:
    names = [quoted(e.pid, seen.scene) for e in waiting]
    if len(waiting) == 1:
        one = waiting[0]
        return f"{names[0]} waits in {call(one.blocked)} for {_them(seen, one)}, so it waits for ever too."
    return f"{listing(names)} wait for them, so they wait for ever too."


def _them(seen: Seen, ending: Ending) -> str:
    return listing([quoted(pid, seen.scene) for pid in ending.by], "or")


# --- one wait ---------------------------------------------------------------------------------------


def _clause(seen: Seen, ending: Ending) -> str:
    who = f"{quoted(ending.pid, seen.scene)} waits in {call(ending.blocked)}"
    for fits, say in _WAYS:
        if fits(seen, ending):
            return say(seen, ending, who)
    return f"{who} for {ending.blocked.object}, which only {_them(seen, ending)} could end"


def _object(seen: Seen, ending: Ending) -> object:
    return seen.objects.get(ending.blocked.object or "")


def _reads(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in READS and isinstance(_object(seen, ending), Pipe)


def _say_reads(seen: Seen, ending: Ending, who: str) -> str:
    pipe = ending.blocked.object
    own, others = _ends(seen, ending.pid, pipe, "w"), [p for p in ending.by if p != ending.pid]
    if own and not others:
        only = "its only write end" if len(own) == 1 else "its only write ends"
        return f"{who} for {pipe} to end, but holds {only} itself ({_descriptors(own)})"
    if own:
        also = listing([_holder(seen, p, pipe, "w") for p in others])
        return f"{who} for {pipe} to end, but holds a write end itself ({_descriptors(own)}), as does {also}"
    writers = listing([_holder(seen, p, pipe, "w") for p in others], "or")
    return f"{who} for {pipe}, and only {writers} could write to it"


def _writes(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in WRITES and isinstance(_object(seen, ending), Pipe)


def _say_writes(seen: Seen, ending: Ending, who: str) -> str:
    pipe = _object(seen, ending)
    assert isinstance(pipe, Pipe)
    full = f"{pipe.id} is full" + (f" ({count(pipe.queued, 'byte')})" if pipe.queued else "")
    if ending.by == (ending.pid,):
        own = _descriptors(_ends(seen, ending.pid, pipe.id, "r"))
        return f"{who}: {full}, and nobody but itself could read from it ({own})"
    readers = [_holder(seen, p, pipe.id, "r") for p in ending.by]
    return f"{who}: {full}, and only {listing(readers, 'or')} could read from it"


def _talks(seen: Seen, ending: Ending) -> bool:
    return isinstance(_object(seen, ending), (UnixSocket, InetSocket))


def _say_talks(seen: Seen, ending: Ending, who: str) -> str:
    socket = _object(seen, ending)
    assert isinstance(socket, (UnixSocket, InetSocket))
    peers = listing([_holder(seen, p, socket.peer, "") for p in ending.by], "or")
    if ending.by == (ending.pid,):
        peers = f"it itself ({_descriptors(_ends(seen, ending.pid, socket.peer, ''))})"
    if ending.blocked.call in WRITES:
        return f"{who}: what it sent is still unread, and only {peers} could read it"
    return f"{who} on {socket.id}, and only {peers} could send something"


def _counts(seen: Seen, ending: Ending) -> bool:
    return isinstance(_object(seen, ending), EventFd)


def _say_counts(seen: Seen, ending: Ending, who: str) -> str:
    return f"{who} for {ending.blocked.object}, which only {_them_or_itself(seen, ending)} could count up"


def _waits_for_children(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in CHILDREN


def _say_children(seen: Seen, ending: Ending, who: str) -> str:
    return f"{who} for {_them(seen, ending)} to end"


def _chooses(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in CHOICES


def _say_chooses(seen: Seen, ending: Ending, who: str) -> str:
    things = list(dict.fromkeys(w.object or f"descriptor {w.fd}" for w in ending.blocked.on))
    return f"{who} for {listing(things, 'or')}, and only {_them_or_itself(seen, ending)} could make one ready"


def _is_lock(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in ("flock", "fcntl", "lockf", "fcntl64")


def _say_lock(seen: Seen, ending: Ending, who: str) -> str:
    lock = _object(seen, ending)
    what = (
        f"the lock on {lock.file}"
        if isinstance(lock, Lock) and lock.file
        else f"a lock on {ending.blocked.object}"
    )
    if ending.by == (ending.pid,):
        return f"{who} for {what}, which it holds itself through another descriptor"
    holders = listing([quoted(p, seen.scene) if p != ending.pid else "it itself" for p in ending.by])
    return f"{who} for {what}, which {holders} {'holds' if len(ending.by) == 1 else 'hold'}"


def _takes(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call in SEMAPHORES


def _say_takes(seen: Seen, ending: Ending, who: str) -> str:
    sem = _object(seen, ending)
    several = isinstance(sem, SysvSem) and sem.values is not None and len(sem.values) > 1
    what = f"semaphore {ending.thing[1]} of {ending.thing[0]}" if several else str(ending.thing[0])
    return f"{who} for {what}, which {_them(seen, ending)} took last"


def _sleeps_on_word(seen: Seen, ending: Ending) -> bool:
    return ending.blocked.call == "futex" or isinstance(_object(seen, ending), PosixSem)


def _say_word(seen: Seen, ending: Ending, who: str) -> str:
    if ending.blocked.object is not None:
        return f"{who} for {ending.blocked.object}, which only {_them_or_itself(seen, ending)} could release"
    if len(seen.live[ending.pid]) > 1:
        return (
            f"every thread of {quoted(ending.pid, seen.scene)} waits for a lock or a word of another of them"
        )
    return f"{who} for a lock in its own memory, and has no other thread that could release it"


_WAYS: list[tuple[Callable[[Seen, Ending], bool], Callable[[Seen, Ending, str], str]]] = [
    (_waits_for_children, _say_children),
    (_chooses, _say_chooses),
    (_takes, _say_takes),
    (_sleeps_on_word, _say_word),
    (_is_lock, _say_lock),
    (_reads, _say_reads),
    (_writes, _say_writes),
    (_talks, _say_talks),
    (_counts, _say_counts),
]


def _them_or_itself(seen: Seen, ending: Ending) -> str:
    names = [quoted(p, seen.scene) for p in ending.by if p != ending.pid]
    return listing([*names, "it itself"] if ending.pid in ending.by else names, "or")


def _ends(seen: Seen, pid: int, object: str | None, side: str) -> list[int]:
    """The descriptors with which a process holds this side of an object."""
    process = seen.processes.get(pid)
    rows = process.descriptors if process else None
    found = [d.fd for d in rows or () if d.object == object and side in (d.mode or "rw")]
    pipe = seen.objects.get(object or "")
    if not found and isinstance(pipe, Pipe):
        found = [e.fd for e in (pipe.writers if side == "w" else pipe.readers) if e.pid == pid]
    return found


def _descriptors(fds: list[int]) -> str:
    if not fds:
        return "by a descriptor"
    return f"descriptor {fds[0]}" if len(fds) == 1 else f"descriptors {listing([str(fd) for fd in fds])}"


def _holder(seen: Seen, pid: int, object: str | None, side: str) -> str:
    return f"{quoted(pid, seen.scene)} ({_descriptors(_ends(seen, pid, object, side))})"


# --- what to change ---------------------------------------------------------------------------------


def _remedy(seen: Seen, knot: list[Ending]) -> str:
    return (
        _close_own_end(seen, knot)
        or _close_before_wait(seen, knot)
        or _read_before_wait(seen, knot)
        or _one_after_the_other(seen, knot)
    )


def _close_own_end(seen: Seen, knot: list[Ending]) -> str | None:
    """A reader that holds a write end of the very pipe it wants to see the end of."""
    advice = []
    for ending in knot:
        if _reads(seen, ending) and ending.pid in ending.by:
            advice.append(_close(seen, ending.pid, ending.blocked.object, _when(seen, ending.pid)))
            advice += [
                _close(seen, other, ending.blocked.object, "when it has written")
                for other in ending.by
                if other != ending.pid
            ]
    return "; ".join(advice[:2]) or None


def _close(seen: Seen, pid: int, pipe: str | None, when: str) -> str:
    calls = listing([f"close({fd})" for fd in _ends(seen, pid, pipe, "w")]) or "close it"
    return f"{calls} in {quoted(pid, seen.scene)} {when}"


def _when(seen: Seen, pid: int) -> str:
    process = seen.processes[pid]
    forked = process.ppid in seen.processes or any(p.ppid == pid for p in seen.scene.processes)
    return "after fork" if forked else "before it reads"


def _close_before_wait(seen: Seen, knot: list[Ending]) -> str | None:
    """A reader waits for the end, and the write end is held by one who waits for the reader to exit."""
    waiting = {e.pid: e for e in knot if _waits_for_children(seen, e)}
    for ending in knot:
        holder = next((p for p in ending.by if p in waiting), None)
        if holder is not None and _reads(seen, ending):
            when = f"before it calls {waiting[holder].blocked.call}"
            return _close(seen, holder, ending.blocked.object, when)
    return None


def _read_before_wait(seen: Seen, knot: list[Ending]) -> str | None:
    """A writer waits for room, and the reader waits for the writer to exit."""
    waiting = {e.pid: e for e in knot if _waits_for_children(seen, e)}
    for ending in knot:
        holder = next((p for p in ending.by if p in waiting), None)
        if holder is not None and ending.blocked.call in WRITES:
            return (
                f"read {ending.blocked.object} to its end in {quoted(holder, seen.scene)} "
                f"before it calls {waiting[holder].blocked.call}"
            )
        if holder is not None:
            return (
                f"let {quoted(holder, seen.scene)} do its part before it calls {waiting[holder].blocked.call}"
            )
    return None


def _one_after_the_other(seen: Seen, knot: list[Ending]) -> str:
    alone = len({e.pid for e in knot}) == 1
    if all(_is_lock(seen, e) or _takes(seen, e) or _sleeps_on_word(seen, e) for e in knot):
        return _release_first(seen, knot, alone)
    if alone:
        return "let another process hold the other end"
    if all(e.blocked.call in READS for e in knot):
        return "they all read first: let one of them write before it reads, and flush what it wrote"
    if all(e.blocked.call in WRITES for e in knot):
        return "they all write first: let one of them read before it goes on writing"
    return "let one of them do first what another waits for"


def _release_first(seen: Seen, knot: list[Ending], alone: bool) -> str:
    if not alone:
        return "let all of them take these in the same order"
    if any(_sleeps_on_word(seen, e) for e in knot) and len(seen.live[knot[0].pid]) > 1:
        return "release each lock before taking it again, and take locks in the same order in every thread"
    return "release it before taking it again"
