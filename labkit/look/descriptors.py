"""The descriptor table of every process in the picture."""

from __future__ import annotations

import os
import stat

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel.fstatus import AnyStatus, status
from labkit.look import Held, Look
from labkit.scene import Descriptor, Mode

_FLAGS = {
    os.O_APPEND: "O_APPEND",
    os.O_NONBLOCK: "O_NONBLOCK",
    os.O_CLOEXEC: "O_CLOEXEC",
    os.O_DIRECT: "O_DIRECT",
    os.O_PATH: "O_PATH",
    os.O_SYNC: "O_SYNC",
    os.O_NOATIME: "O_NOATIME",
    os.O_TMPFILE: "O_TMPFILE",
    os.O_ASYNC: "O_ASYNC",
}
_ALWAYS = 1 << 63
_MODES: dict[int, Mode] = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw"}


def read(look: Look) -> None:
    """Fill `look.held`."""
    same = _untouched(look)
    for pid, seen in look.seen.items():
        if seen.ended:
            look.held[pid] = []
            continue
        try:
            look.held[pid] = _table(look, pid, seen.witness, same)
        except Vanished:
            look.held[pid] = []
        except OSError as error:
            look.held[pid] = None
            look.refused("the descriptors", pid, error)


def _untouched(look: Look) -> dict[tuple[int, int], Held]:
    """Rows that nobody can have changed: of pipes all of whose holders are seen, and slept since the last
    look. (A descriptor's flags are changed by whoever shares its description, so all of them count.)"""
    if not look.outside.is_known():
        return {}
    still = {pid for pid, seen in look.seen.items() if seen.still}
    return {
        (row.pid, row.fd): row
        for rows in look.recall.idle.values()
        if all(row.pid in still for row in rows)
        for row in rows
    }


def _table(look: Look, pid: int, witness: int, same: dict[tuple[int, int], Held]) -> list[Held]:
    rows = []
    base = b"/proc/%d/" % witness
    for fd in _numbers(look, pid, base):
        try:
            row = same.get((pid, fd)) or _row(look, pid, fd, base)
        except Vanished:
            continue
        if look.plumbing is None or not look.plumbing(row):
            rows.append(row)
    return rows


def _numbers(look: Look, pid: int, base: bytes) -> list[int]:
    tables = look.recall.tables
    if not look.seen[pid].still or pid not in tables:
        tables[pid] = proc.numbers_in(base + b"fd")
    return tables[pid]


def _row(look: Look, pid: int, fd: int, base: bytes) -> Held:
    """One row; the one of the last look when the kernel says the very same about it.

    A pipe or socket is known by its mount and inode, so that its link need not be read again.
    """
    recall = look.recall
    text = recall.files.read(base + b"fdinfo/%d" % fd)
    known = recall.rows.get((pid, fd))
    if known is not None and known[0] == text and known[1] > look.begun_ns:
        row: Held = known[2]
        return row
    info = recall.fdinfo(text)
    begin = recall.mounts.get(info.mount) if info.mount is not None else None
    if begin is not None and info.inode is not None:
        row = Held(pid, fd, b"%s%d]" % (begin, info.inode), info, None)
        recall.rows[pid, fd] = text, _ALWAYS, row
        return row
    row = _linked(base, pid, fd, info)
    if info.mount is not None and row.link.startswith((b"pipe:[", b"socket:[")):
        recall.mounts[info.mount] = row.link[: row.link.index(b"[") + 1]
    recall.rows[pid, fd] = text, look.good_until(_is_device(row)), row
    return row


def _is_device(row: Held) -> bool:
    """Its size never changes, and its name hardly ever."""
    return row.stat is not None and stat.S_ISCHR(row.stat.st_mode) and row.info is not None


def _linked(base: bytes, pid: int, fd: int, info: proc.FdInfo) -> Held:
    path = base + b"fd/%d" % fd
    try:
        link = os.readlink(path)
        found = _status(path, link) if link.startswith(b"/") else None
    except OSError as error:
        raise proc.translated(error, path) from None
    return Held(pid, fd, link, info, found)


def _status(path: bytes, link: bytes) -> AnyStatus:
    """No server keeps what is in /dev: there the quicker way will do."""
    return os.stat(path) if link.startswith(b"/dev/") else status(path)


def describe_all(look: Look) -> dict[int, tuple[Descriptor, ...] | None]:
    """Every table as the Scene has it, once every object is placed."""
    recall, made_of = look.recall, (look.held, look.placed, look.descriptions)
    if recall.tables_of != made_of:
        recall.tables_of = made_of
        recall.tables_described = {pid: _described_table(look, rows) for pid, rows in look.held.items()}
    return recall.tables_described


def _described_table(look: Look, rows: list[Held] | None) -> tuple[Descriptor, ...] | None:
    return None if rows is None else tuple([_described(look, row) for row in rows])


def _described(look: Look, row: Held) -> Descriptor:
    key = row.pid, row.fd
    object, number = look.placed.get(key), look.descriptions.get(key)
    known = look.recall.described.get(key)
    if known is not None and known[0] is row and known[1] == object and known[2] == number:
        same: Descriptor = known[3]
        return same
    flags = row.info.flags if row.info else None
    offset = row.info.offset if row.info else None
    made = Descriptor(row.fd, object, mode(flags), flag_names(flags), offset, number)
    look.recall.described[key] = row, object, number, made
    return made


def mode(flags: int | None) -> Mode | None:
    """`r`, `w` or `rw`; None for O_PATH, which allows neither."""
    if flags is None or flags & os.O_PATH:
        return None
    return _MODES.get(flags & os.O_ACCMODE)


def flag_names(flags: int | None) -> tuple[str, ...]:
    """The open flags a program can set, by name."""
    if not flags:
        return ()
    names = [name for bit, name in _FLAGS.items() if flags & bit == bit]
    if flags & os.O_DSYNC and "O_SYNC" not in names:
        names.append("O_DSYNC")
    return tuple(names)
