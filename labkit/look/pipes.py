"""Pipes and FIFOs in the picture."""

from __future__ import annotations

import os
import stat

from labkit.errors import Vanished
from labkit.kernel import pipes
from labkit.look import Held, Look
from labkit.look.descriptors import mode
from labkit.scene import End, Pipe


def descriptors(look: Look, held: list[Held]) -> None:
    """Describe every pipe that these descriptors are open on."""
    ends: dict[str, list[Held]] = {}
    for row in held:
        id = _id(look, row)
        look.place(row, id)
        ends.setdefault(id, []).append(row)
    if not ends:
        return
    scratch = pipes.Scratch()
    try:
        for id, rows in ends.items():
            look.add(_pipe(look, id, rows, scratch))
    finally:
        scratch.close()


def _id(look: Look, row: Held) -> str:
    if row.stat is not None and stat.S_ISFIFO(row.stat.st_mode):
        return look.reach("fifo", (row.stat.st_dev, row.stat.st_ino))
    return look.reach("pipe", int(row.link[6:-1]))


def _pipe(look: Look, id: str, rows: list[Held], scratch: pipes.Scratch) -> Pipe:
    modes = [(mode(row.info.flags if row.info else None), row) for row in rows]
    readers = [row for how, row in modes if how in ("r", "rw")]
    writers = [row for how, row in modes if how in ("w", "rw")]
    facts, head = _contents(look, readers, writers, scratch)
    fifo = rows[0].stat is not None
    return Pipe(
        id=id,
        kind="fifo" if fifo else "pipe",
        name=os.fsdecode(rows[0].link) if fifo else id.replace("-", " "),
        capacity=facts.capacity if facts else None,
        queued=facts.queued if facts else None,
        head=head,
        readers=tuple(End(row.pid, row.fd) for row in readers),
        writers=tuple(End(row.pid, row.fd) for row in writers),
        path=os.fsdecode(rows[0].link) if fifo else None,
    )


def _contents(
    look: Look, readers: list[Held], writers: list[Held], scratch: pipes.Scratch
) -> tuple[pipes.Levels | None, bytes | None]:
    facts, head = None, None
    for row in [*writers, *readers]:
        try:
            with look.copy(row.pid, row.fd) as copy:
                facts = pipes.levels(copy)
                break
        except Vanished:
            continue
        except OSError as error:
            look.limit("contents of pipes", str(error))
            return None, None
    if facts and facts.queued == 0:
        return facts, b""
    for row in readers:
        try:
            with look.copy(row.pid, row.fd) as copy:
                head = scratch.head(copy)
                break
        except (Vanished, OSError):
            continue
    return facts, head
