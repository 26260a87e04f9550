"""What to change, so that a knot does not form again. Pure."""

from __future__ import annotations

from labkit.scene import EventFd, InetSocket, Memory, PosixSem, SysvSem, SysvShm, UnixSocket
from labkit.waits.clauses import ends, is_lock, reads, sleeps_on_word, takes, thing, waits_for_children
from labkit.waits.enablers import Ending
from labkit.waits.seen import Seen
from labkit.words import listing, quoted


def remedy(seen: Seen, knot: list[Ending]) -> str:
    return (
        _close_own_end(seen, knot)
        or _close_before_wait(seen, knot)
        or _same_order(seen, knot)
        or _read_before_wait(seen, knot)
        or _accept_first(seen, knot)
        or _one_after_the_other(seen, knot)
    )


def _close_own_end(seen: Seen, knot: list[Ending]) -> str | None:
    """A reader that holds a write end of the very pipe it wants to see the end of."""
    advice = []
    for ending in knot:
        if reads(seen, ending) and ending.pid in ending.by:
            advice.append(_close(seen, ending.pid, ending.blocked.object, _when(seen, ending.pid)))
            advice += [
                _close(seen, other, ending.blocked.object, "when it has written")
                for other in ending.by
                if other != ending.pid
            ]
    return "; ".join(advice[:2]) or None


def _close(seen: Seen, pid: int, pipe: str | None, when: str) -> str:
    calls = listing([f"close({fd})" for fd in ends(seen, pid, pipe, "w")])
    return f"{f'call {calls}' if calls else 'close it'} in {quoted(pid, seen.scene)} {when}"


def _when(seen: Seen, pid: int) -> str:
    process = seen.processes[pid]
    forked = process.ppid in seen.processes or any(p.ppid == pid for p in seen.scene.processes)
    return "after fork" if forked else "before it reads (if it is to write itself: let it do that first)"


def _close_before_wait(seen: Seen, knot: list[Ending]) -> str | None:
    """A reader waits for the end, and the write end is held by one who waits for the reader to exit."""
    waiting = {e.pid: e for e in knot if waits_for_children(seen, e)}
    for ending in knot:
        holder = next((p for p in ending.by if p in waiting), None)
        if holder is not None and reads(seen, ending):
            when = f"before it calls {waiting[holder].blocked.call}"
            return _close(seen, holder, ending.blocked.object, when)
    return None


def _same_order(seen: Seen, knot: list[Ending]) -> str | None:
    """Several have locked one another out, and their parent, who has all these locks too, waits for them."""
    rest = [e for e in knot if not waits_for_children(seen, e)]
    they = "both" if len({e.pid for e in rest}) == 2 else "all"
    if len(rest) == len(knot) or len({e.thing for e in rest}) < 2 or len({e.pid for e in rest}) < 2:
        return None
    return _release_first(seen, rest, False, they) if all(_is_taken(seen, e) for e in rest) else None


def _is_taken(seen: Seen, ending: Ending) -> bool:
    return is_lock(seen, ending) or takes(seen, ending) or sleeps_on_word(seen, ending)


def _read_before_wait(seen: Seen, knot: list[Ending]) -> str | None:
    """A writer waits for room, and the reader waits for the writer to exit."""
    waiting = {e.pid: e for e in knot if waits_for_children(seen, e)}
    for ending in knot:
        holder = next((p for p in ending.by if p in waiting), None)
        if holder is not None and seen.writes(ending.pid, ending.blocked):
            return f"{_read(seen, ending, holder)} before it calls {waiting[holder].blocked.call}"
        if holder is not None:
            return (
                f"let {quoted(holder, seen.scene)} do its part before it calls {waiting[holder].blocked.call}"
            )
    return None


def _read(seen: Seen, ending: Ending, holder: int) -> str:
    where = quoted(holder, seen.scene)
    if isinstance(seen.objects.get(ending.blocked.object or ""), (UnixSocket, InetSocket)):
        return f"receive what {quoted(ending.pid, seen.scene)} sends in {where}"
    return f"read {ending.blocked.object} to its end in {where}"


def _accept_first(seen: Seen, knot: list[Ending]) -> str | None:
    """Who stands before a full line, and who alone could accept does something else."""
    doing = {e.pid: e for e in knot}
    for ending in knot:
        server = next((p for p in ending.by if p in doing and p != ending.pid), None)
        if ending.blocked.call == "connect" and server is not None:
            return f"accept in {quoted(server, seen.scene)} before it calls {doing[server].blocked.call}"
    return None


def _one_after_the_other(seen: Seen, knot: list[Ending]) -> str:
    number = len({e.pid for e in knot})
    alone, they = number == 1, "both" if number == 2 else "all"
    if all(_is_taken(seen, e) for e in knot):
        return _release_first(seen, knot, alone, they)
    if alone and isinstance(thing(seen, knot[0]), EventFd) and seen.writes(knot[0].pid, knot[0].blocked):
        return "let another process read it, or do so before writing to it"
    if alone and isinstance(thing(seen, knot[0]), EventFd):
        return "let another process count it up, or do so before reading it"
    if alone and len(seen.live[knot[0].pid]) > 1:
        return "let one thread take out what another puts in, before it waits for that one"
    if alone:
        return "give the other end to another process, and close it here"
    if all(seen.reads(e.pid, e.blocked) for e in knot):
        return f"they {they} read first: let one of them write before it reads, and flush what it wrote"
    if all(seen.writes(e.pid, e.blocked) for e in knot):
        return f"they {they} write first: let one of them read before it goes on writing"
    return "let one of them do first what another waits for"


def _release_first(seen: Seen, knot: list[Ending], alone: bool, they: str) -> str:
    same = not alone and len({e.thing for e in knot}) == 1
    if same and isinstance(thing(seen, knot[0]), (PosixSem, SysvSem)):
        return f"they {they} wait for the same one: let one of them post it before it waits"
    if same and all(is_lock(seen, e) for e in knot):
        return f"they {they} share it and want it alone: let each give its share back first"
    if any(isinstance(seen.objects.get(e.blocked.object or ""), (Memory, SysvShm)) for e in knot):
        return _some_word(alone)
    if not alone:
        return f"let {they} of them take these in the same order"
    if any(sleeps_on_word(seen, e) for e in knot) and len(seen.live[knot[0].pid]) > 1:
        return "release each lock before taking it again, and take locks in the same order in every thread"
    if alone and not any(e.blocked.object for e in knot):
        return "release a lock before taking it again; await an event only while a thread can tell of it"
    return "release it before taking it again"


def _some_word(alone: bool) -> str:
    """A word in shared memory may be a mutex, a condition or a barrier: the kernel does not know."""
    if alone:
        return "release it before taking it again, and before the one who holds it ends"
    return "take locks in the same order everywhere; if it is no lock, let one wake the rest before it waits"
