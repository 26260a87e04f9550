"""Pipes and FIFOs in the picture."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import memory, pipes, proc
from labkit.look import Held, Look, locked
from labkit.look.descriptors import mode
from labkit.scene import End, Pipe


class _Ends(NamedTuple):
    """The descriptors of one pipe."""

    readers: list[Held]
    writers: list[Held]
    rows: list[Held]


def descriptors(look: Look, held: list[Held]) -> None:
    """Describe every pipe that these descriptors are open on."""
    ends = _sorted(look, held)
    look.recall.idle = {}
    with pipes.Scratch() as scratch:
        for id, pipe in ends.items():
            made = _pipe(look, id, pipe, scratch)
            look.add(made)
            if made.others is False and made.kind == "pipe":
                look.recall.idle[id] = pipe.rows


def _sorted(look: Look, held: list[Held]) -> dict[str, _Ends]:
    """id -> the descriptors of that pipe; the last look's where all of them are the same."""
    last = look.recall.kept.get("pipes sorted")
    if last is not None and last[0] == held and last[3] == look.numbers:
        look.again(last[1])
        same: dict[str, _Ends] = last[2]
        return same
    ends: dict[str, _Ends] = {}
    for row in held:
        id = _id(look, row)
        look.place(row, id)
        pipe = ends.get(id)
        if pipe is None:
            pipe = ends[id] = _Ends([], [], [])
        how = mode(row.info.flags if row.info else None)
        pipe.rows.append(row)
        if how in ("r", "rw"):
            pipe.readers.append(row)
        if how in ("w", "rw"):
            pipe.writers.append(row)
    placed = {(row.pid, row.fd): look.placed[row.pid, row.fd] for row in held}
    kinds = {kind: look.reached(kind) for kind in ("pipe", "fifo")}
    look.recall.kept["pipes sorted"] = held, (placed, kinds), ends, look.numbers
    return ends


def objects(look: Look) -> None:
    """FIFOs that nobody in the picture has open yet, but somebody waits to open."""
    for identity, id in look.reached("fifo").items():
        if id not in look.objects:
            path = text(look.fifos.get(identity, b"?"))
            notes = ("an open waits here until the other side is opened too",)
            others = look.outside.others_of_file(identity, made_inside=False)
            look.add(Pipe(id=id, kind="fifo", name=path, path=path, notes=notes, others=others))


def text(path: bytes) -> str:
    """A path as text; bytes that are no text as `\\xff`."""
    return path.decode("utf-8", "backslashreplace")


def _id(look: Look, row: Held) -> str:
    if row.stat is not None:
        return look.reach("fifo", (row.stat.st_dev, row.stat.st_ino))
    return look.reach("pipe", int(row.link[6:-1]))


def _pipe(look: Look, id: str, ends: _Ends, scratch: pipes.Scratch) -> Pipe:
    known = look.recall.kept.get(id)
    if look.outside.fresh:
        known = None
    if known is not None and known[1].others is False and _untouched(look, ends, known[0]):
        same: Pipe = known[1]
        return same
    mover = locked.mover(look, _all_ends(look, ends))
    facts = _levels(look, ends) if mover is None else None
    head = None
    if facts is not None:
        head = _head(look, ends, scratch) if facts.queued else b""
    path, gone = _path(ends.rows[0])
    others = _others(look, ends, facts)
    pipe = _made(id, ends, facts, head, path, gone, others)
    if mover is not None:
        name = look.seen[mover].name if mover in look.seen else f"process {mover}"
        pipe = dataclasses.replace(pipe, notes=(*pipe.notes, f"{name} {_LOCKED}"))
    if facts is not None:
        look.recall.kept[id] = (ends, look.outside.scan()), pipe
    return pipe


_LOCKED = (
    "moves bytes through it, and keeps it locked until some come: "
    "whoever else uses it, or asks what is in it, waits as long"
)


def _all_ends(look: Look, ends: _Ends) -> list[tuple[int, int]]:
    """All that are known, also outside the picture."""
    first = ends.rows[0]
    if first.stat is None:
        outside = look.outside.holders(first.link)
    else:
        outside = look.outside.holders_of_file((first.stat.st_dev, first.stat.st_ino))
    return [*((row.pid, row.fd) for row in ends.rows), *outside]


def _untouched(look: Look, ends: _Ends, before: tuple[_Ends, object]) -> bool:
    """Has nobody who holds it run since it was last looked at? Then it holds what it held, and is left alone.

    Only for a pipe that nobody else holds and that has no name, and no longer than the picture of the
    outside is kept: somebody could open it for a moment through /proc.
    """
    return (
        ends.rows[0].stat is None
        and before == (ends, look.outside.scan())
        and all(look.seen[row.pid].still for row in ends.rows)
    )


def _made(
    id: str,
    ends: _Ends,
    facts: pipes.Levels | None,
    head: bytes | None,
    path: str | None,
    gone: bool,
    others: bool | None,
) -> Pipe:
    return Pipe(
        id=id,
        kind="pipe" if path is None else "fifo",
        name=path or id.replace("-", " "),
        notes=tuple(_notes(facts, gone)),
        capacity=facts.capacity if facts else None,
        queued=facts.queued if facts else None,
        head=head,
        readers=tuple([End(row.pid, row.fd) for row in ends.readers]),
        writers=tuple([End(row.pid, row.fd) for row in ends.writers]),
        others=others,
        path=path,
    )


def _path(row: Held) -> tuple[str | None, bool]:
    """The FIFO's path, and whether that name is gone."""
    if row.stat is None:
        return None, False
    gone = row.link.endswith(b" (deleted)") and (row.stat.st_nlink == 0 or not os.path.exists(row.link))
    return text(row.link.removesuffix(b" (deleted)") if gone else row.link), gone


def _notes(facts: pipes.Levels | None, gone: bool) -> list[str]:
    notes = ["its name is removed: nobody can open it any more"] if gone else []
    if facts and facts.full and facts.queued < facts.capacity:
        pages = facts.capacity // memory.PAGE
        use = "only page is in use" if pages == 1 else f"{pages} pages are all in use"
        notes.append(f"full: its {use}, if not to the last byte")
    if facts and facts.other_side_gone:
        notes.append("no reader is left" if facts.writing else "no writer is left")
    return notes


def _others(look: Look, ends: _Ends, facts: pipes.Levels | None) -> bool | None:
    both = bool(ends.readers and ends.writers) or bool(facts and facts.other_side_gone)
    first = ends.rows[0]
    if first.stat is not None:
        return look.outside.others_of_file((first.stat.st_dev, first.stat.st_ino), both)
    return look.outside.others(first.link, both)


# --- levels and bytes -------------------------------------------------------------------------------


def _levels(look: Look, ends: _Ends) -> pipes.Levels | None:
    for writing, rows in ((True, ends.writers), (False, ends.readers)):
        for row in rows:
            try:
                return _levels_of(look, row, writing)
            except Vanished:
                continue
            except OSError as error:
                look.refused("what is inside the pipes", row.pid, error, attach=True)
    return None


def _copied(look: Look, row: Held, writing: bool) -> int:
    """A copy; where copies are refused, the same end opened again."""
    try:
        return look.copied(row.pid, row.fd)
    except OSError as refusal:
        try:
            if os.readlink(row.path) != row.link:
                raise Vanished(f"fd {row.fd} of process {row.pid} is gone.") from None
            return pipes.opened_again(row.path, writing)
        except OSError:
            raise refusal from None


def _levels_of(look: Look, row: Held, writing: bool) -> pipes.Levels:
    copy = _copied(look, row, writing)
    try:
        return pipes.levels(copy, writing)
    finally:
        os.close(copy)


def _head(look: Look, ends: _Ends, scratch: pipes.Scratch) -> bytes | None:
    """The first bytes, through the end of a reader that sleeps: while it does, and has its own end
    open, no write can miss an EPIPE because of our copy. Where every reader runs, only when nothing was
    written or read lately: such a pipe is not about to be closed either, nearly always."""
    for row in ends.readers:
        try:
            if not _asleep(look, row.pid) and _busy(row):
                look.put_off = True
                continue
            copy = _copied(look, row, writing=False)
            try:
                return scratch.head(copy)
            finally:
                os.close(copy)
        except Vanished:
            continue
        except OSError:
            return None
    return None


LATELY_S = 0.05


def _busy(row: Held) -> bool:
    """Was it written or read lately? The inode's times tell, without a copy."""
    try:
        found = os.stat(row.path)
    except OSError:
        return True
    return abs(time.time() - max(found.st_mtime, found.st_atime)) < LATELY_S


def _asleep(look: Look, pid: int) -> bool:
    """Do all its threads sleep?"""
    texts = [proc.read(b"/proc/%d/task/%d/stat" % (pid, tid)) for tid in look.seen[pid].threads]
    return all(proc.parse_stat(text).state in "SDTt" for text in texts)
