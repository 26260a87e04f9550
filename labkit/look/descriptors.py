"""The descriptor table of every process in the picture."""

from __future__ import annotations

import fcntl
import os

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.look import Held, Look
from labkit.scene import Descriptor, Mode

_FLAGS = {
    os.O_APPEND: "O_APPEND",
    os.O_NONBLOCK: "O_NONBLOCK",
    os.O_CLOEXEC: "O_CLOEXEC",
    os.O_DIRECT: "O_DIRECT",
    os.O_PATH: "O_PATH",
    fcntl.FASYNC: "O_ASYNC",
    os.O_DSYNC: "O_DSYNC",
    os.O_NOATIME: "O_NOATIME",
}
_MODES: dict[int, Mode] = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw"}


def read(look: Look) -> None:
    """Fill `look.held`."""
    for pid in look.seen:
        try:
            look.held[pid] = _table(pid)
        except Vanished:
            look.held[pid] = []
        except OSError as error:
            look.held[pid] = None
            look.limit(
                f"descriptors of {look.seen[pid].name}",
                f"{error.strerror}: another user's process",
            )


def _table(pid: int) -> list[Held]:
    rows = []
    for fd in proc.numbers_in(b"/proc/%d/fd" % pid):
        try:
            rows.append(_row(pid, fd))
        except Vanished:
            continue
    return rows


def _row(pid: int, fd: int) -> Held:
    path = b"/proc/%d/fd/%d" % (pid, fd)
    try:
        link = os.readlink(path)
        stat = os.stat(path) if link.startswith(b"/") else None
    except OSError as error:
        raise proc.translated(error, path) from None
    return Held(
        pid,
        fd,
        link,
        proc.parse_fdinfo(proc.read(b"/proc/%d/fdinfo/%d" % (pid, fd))),
        stat,
    )


def describe(look: Look, pid: int) -> tuple[Descriptor, ...] | None:
    """The table as the Scene has it, once every object is placed."""
    rows = look.held.get(pid)
    if rows is None:
        return None
    return tuple(_described(look, held) for held in rows)


def _described(look: Look, held: Held) -> Descriptor:
    flags = held.info.flags if held.info else None
    return Descriptor(
        fd=held.fd,
        object=look.placed.get((held.pid, held.fd)),
        mode=mode(flags),
        flags=flag_names(flags),
        offset=held.info.offset if held.info else None,
    )


def mode(flags: int | None) -> Mode | None:
    """`r`, `w` or `rw`; None for O_PATH, which allows neither."""
    if flags is None or flags & os.O_PATH:
        return None
    return _MODES.get(flags & os.O_ACCMODE)


def flag_names(flags: int | None) -> tuple[str, ...]:
    """The open flags a program can set, by name."""
    return tuple(name for bit, name in _FLAGS.items() if flags and flags & bit == bit)
