"""Files, terminals, and what has no name: eventfd, epoll, signalfd, timerfd, and the rest."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable

from labkit.kernel import files, memory
from labkit.kernel.fstatus import AnyStatus
from labkit.look import Held, Look
from labkit.look import memory as look_memory
from labkit.look.locks import describe as describe_locks
from labkit.look.locks import lock_waited as lock_waited
from labkit.look.same import groups
from labkit.scene import AnyObject, Epoll, EventFd, File, Other, SignalFd, TimerFd, WatchedFd

_TERMINALS = {4, 5, *range(136, 144)}
"""Major numbers of consoles, /dev/tty, and pseudo-terminals."""


def descriptors(look: Look, held: list[Held]) -> None:
    """Describe what these descriptors are open on. Asked last: an epoll watches objects placed before."""
    nameless: dict[bytes, list[Held]] = {}
    for row in held:
        if row.stat is not None:
            _named(look, row)
        else:
            nameless.setdefault(row.link, []).append(row)
    for link, rows in nameless.items():
        _nameless(look, link, rows)
    _describe_epolls(look)
    describe_locks(look, held)


# --- with a name ------------------------------------------------------------------------------------


def _named(look: Look, row: Held) -> None:
    assert row.stat is not None
    identity = (row.stat.st_dev, row.stat.st_ino)
    if stat.S_ISREG(row.stat.st_mode) and os.major(row.stat.st_dev) == 0 and _in_memory(look, row):
        look_memory.descriptors(look, [row])
        return
    if stat.S_ISREG(row.stat.st_mode) or stat.S_ISDIR(row.stat.st_mode):
        id = look.reach("file", identity)
        look.add(file_object(id, row.pid, row.link, row.stat))
    else:
        terminal = stat.S_ISCHR(row.stat.st_mode) and os.major(row.stat.st_rdev) in _TERMINALS
        id = look.reach("terminal" if terminal else "other", identity)
        look.add(Other(id=id, kind="terminal" if terminal else "other", name=shown_path(row.link)))
    look.place(row, id)


def _in_memory(look: Look, row: Held) -> bool:
    """In a /dev/shm that we reach by another path than its process does."""
    assert row.stat is not None
    return row.stat.st_dev == memory.shm_device(row.pid)


def file_object(id: str, pid: int, path: bytes, found: AnyStatus | None) -> File:
    """A regular file or a folder, by the path that this process's tables show."""
    deleted = is_deleted(pid, path, found)
    name = shown_path(path.removesuffix(b" (deleted)") if deleted else path)
    return File(
        id=id,
        kind="file",
        name=name,
        path=name,
        size=found.st_size if found and stat.S_ISREG(found.st_mode) else None,
        deleted=deleted,
    )


def is_deleted(pid: int, path: bytes, found: AnyStatus | None) -> bool:
    """Is ` (deleted)` the kernel's word, and not the end of a strange name?"""
    if not path.endswith(b" (deleted)"):
        return False
    return (found is not None and found.st_nlink == 0) or _stat(pid, path) is None


def shown_path(path: bytes) -> str:
    """A path as text, whatever bytes are in it."""
    return path.decode("utf-8", "backslashreplace")


# --- without a name ---------------------------------------------------------------------------------


def _nameless(look: Look, link: bytes, rows: list[Held]) -> None:
    plain = link.removeprefix(b"anon_inode:").strip(b"[]") if link.startswith(b"anon_inode:") else link
    kind = plain.decode("utf-8", "backslashreplace")
    make = _MAKERS.get(kind)
    for identity, members in groups(look, link, rows):
        id = look.reach(make[0] if make else "other", identity)
        for row in members:
            look.place(row, id)
        lines = members[0].info.more if members[0].info else ()
        look.add(make[1](id, lines) if make else _other(id, kind, lines))


def _other(id: str, kind: str, lines: Iterable[bytes]) -> Other:
    pid = next((int(line.split()[1]) for line in lines if line.startswith(b"Pid:")), None)
    notes = (f"stands for process {pid}",) if pid is not None else ()
    return Other(id=id, kind="other", name=kind, notes=notes)


def _eventfd(id: str, lines: Iterable[bytes]) -> EventFd:
    facts = files.parse_eventfd(lines)
    notes = ("EFD_SEMAPHORE: a read takes one, not all",) if facts and facts.semaphore else ()
    return EventFd(id=id, kind="eventfd", name=_name(id), notes=notes, count=facts.value if facts else None)


def _signalfd(id: str, lines: Iterable[bytes]) -> SignalFd:
    return SignalFd(id=id, kind="signalfd", name=_name(id), signals=files.parse_signalfd(lines))


def _timerfd(id: str, lines: Iterable[bytes]) -> TimerFd:
    facts = files.parse_timerfd(lines)
    return TimerFd(
        id=id,
        kind="timerfd",
        name=_name(id),
        notes=(f"runs on {files.CLOCKS.get(facts.clock, facts.clock)}",) if facts else (),
        ticks=facts.ticks if facts else None,
        remaining_ns=facts.remaining_ns if facts else None,
        interval_ns=facts.interval_ns if facts else None,
    )


def _epoll(id: str, lines: Iterable[bytes]) -> Epoll:
    return Epoll(id=id, kind="epoll", name=_name(id))


def _name(id: str) -> str:
    return id.replace("-", " ")


_MAKERS: dict[str, tuple[str, Callable[[str, Iterable[bytes]], AnyObject]]] = {
    "eventfd": ("eventfd", _eventfd),
    "signalfd": ("signalfd", _signalfd),
    "timerfd": ("timerfd", _timerfd),
    "eventpoll": ("epoll", _epoll),
}


# --- epoll ------------------------------------------------------------------------------------------


def _describe_epolls(look: Look) -> None:
    for row in _rows(look):
        if row.link == b"anon_inode:[eventpoll]":
            id = look.placed[row.pid, row.fd]
            epoll = look.objects[id]
            if isinstance(epoll, Epoll) and epoll.watching is None and row.info is not None:
                look.add(_watching(look, id, row, files.parse_epoll(row.info.more)))


def _rows(look: Look) -> Iterable[Held]:
    return (row for rows in look.held.values() for row in rows or ())


def _watching(look: Look, id: str, row: Held, watched: tuple[files.Watched, ...]) -> Epoll:
    return Epoll(
        id=id,
        kind="epoll",
        name=_name(id),
        notes=tuple(f"fd {w.fd}: {note}" for w in watched for note in files.event_notes(w.events)),
        watching=tuple(
            WatchedFd(w.fd, files.event_words(w.events), _watched_object(look, row, w)) for w in watched
        ),
    )


def _watched_object(look: Look, row: Held, watched: files.Watched) -> str | None:
    """What is watched: the number is that of the process that added it, which may have closed it."""
    own = [other for other in look.held.get(row.pid) or () if other.fd == watched.fd]
    for other in [*own, *_rows(look)]:
        if other.info is not None and other.info.inode == watched.inode and _same_kind(other, own):
            return look.placed.get((other.pid, other.fd))
    return None


def _same_kind(other: Held, own: list[Held]) -> bool:
    """Nameless objects share one inode: for those only the number tells."""
    return other in own or not other.link.startswith(b"anon_inode:")


# --- at the end -------------------------------------------------------------------------------------


def objects(look: Look) -> None:
    """Describe the files that are only mapped."""
    mapped = look.kept.get("files mapped", {})
    for identity, id in look.reached("file").items():
        if id not in look.objects and identity in mapped:
            pid, map = mapped[identity]
            look.add(file_object(id, pid, map.path, _stat(pid, map.path)))


def _stat(pid: int, path: bytes) -> AnyStatus | None:
    try:
        return os.stat(b"/proc/%d/root%s" % (pid, path))
    except (OSError, ValueError):
        return None
