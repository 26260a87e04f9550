"""POSIX semaphores and message queues in the picture."""

from __future__ import annotations

import contextlib
import os

from labkit.errors import Vanished
from labkit.kernel import memory, posix
from labkit.kernel.proc import Map
from labkit.look import Held, Look
from labkit.look.memory import Identity, everything, is_watched, listed, mapped_head, object_of
from labkit.scene import PosixMq, PosixSem

# --- message queues ---------------------------------------------------------------------------------


def descriptors(look: Look, held: list[Held]) -> None:
    """Describe every message queue that these descriptors are open on."""
    queues: dict[str, list[Held]] = {}
    for row in held:
        assert row.stat is not None
        id = look.reach("posix-mq", (row.stat.st_dev, row.stat.st_ino))
        look.place(row, id)
        queues.setdefault(id, []).append(row)
    for id, rows in queues.items():
        look.add(_held_queue(look, id, rows))


def _held_queue(look: Look, id: str, rows: list[Held]) -> PosixMq:
    for row in sorted(rows, key=_write_only):
        try:
            with look.copy(row.pid, row.fd) as copy:
                facts, status = posix.queue(copy), _status(copy, row)
            return _queue(id, row.link, facts, status)
        except Vanished:
            continue
        except OSError as error:
            look.refused("what is in the POSIX message queues", row.pid, error, attach=True)
            break
    return _queue(id, rows[0].link, None, None)


def _write_only(row: Held) -> bool:
    return row.info is not None and (row.info.flags or 0) & os.O_ACCMODE == os.O_WRONLY


def _status(copy: int, row: Held) -> posix.QueueStatus | None:
    """Only a queue open for reading tells its bytes."""
    if _write_only(row):
        return None
    return posix.parse_queue_status(os.pread(copy, 128, 0))


def _queue(id: str, path: bytes, facts: posix.QueueFacts | None, status: posix.QueueStatus | None) -> PosixMq:
    notes = ["no call shows its messages without taking them"] if facts and facts.queued else []
    if path.endswith(b" (deleted)"):
        notes.append(_UNLINKED)
    if status and status.notified:
        notes.append(f"process {status.notified} is told when a message comes")
    return PosixMq(
        id=id,
        kind="posix-mq",
        name=path.removesuffix(b" (deleted)").decode("utf-8", "backslashreplace"),
        notes=tuple(notes),
        queued=facts.queued if facts else None,
        capacity=facts.capacity if facts else None,
        bytes=status.bytes if status else 0 if facts and not facts.queued else None,
        unlinked=path.endswith(b" (deleted)"),
    )


def _list_queues(look: Look) -> None:
    """The queues that a mounted mqueue filesystem shows, and nobody of the picture has open."""
    folder = b"/dev/mqueue"
    try:
        names = sorted(os.listdir(folder)) if _is_mqueue(folder) else None
    except OSError:
        names = None
    if names is None:
        if look.all_objects:
            look.limit(
                "POSIX message queues that no process of the picture has open",
                "they are listed only in an mqueue filesystem, and none is mounted at /dev/mqueue",
            )
        return
    for name in names:
        try:
            _listed_queue(look, folder + b"/" + name, b"/" + name)
        except OSError:
            continue


def _is_mqueue(folder: bytes) -> bool:
    from labkit.kernel.syscalls import filesystem_type

    return filesystem_type(folder) == posix.MQUEUE_MAGIC


def _listed_queue(look: Look, path: bytes, name: bytes) -> None:
    found = os.stat(path)
    if look.all_objects and found.st_uid != os.getuid():
        return
    id = look.reach("posix-mq", (found.st_dev, found.st_ino))
    if id in look.objects:
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        look.add(_queue(id, name, None, None))
        return
    try:
        look.add(_queue(id, name, posix.queue(fd), posix.parse_queue_status(os.pread(fd, 128, 0))))
    finally:
        os.close(fd)


# --- semaphores -------------------------------------------------------------------------------------


def objects(look: Look) -> None:
    """Describe the named semaphores that are mapped, and in a room those that only lie there."""
    for identity, id in look.reached("posix-sem").items():
        if id not in look.objects:
            look.add(_named(look, id, identity))  # type: ignore[arg-type]
    if everything(look):
        _list_queues(look)


def _named(look: Look, id: str, identity: Identity) -> PosixSem:
    pid, path = _where(look, identity)
    name, unlinked = _true_name(look, pid, identity, path)
    facts = _facts(look, id, pid, identity[0], name)
    notes = ([] if facts else [_UNSEEN]) + ([_UNLINKED] if unlinked else [])
    return PosixSem(
        id=id,
        kind="posix-sem",
        name=_shown(look, id, identity, name, unlinked),
        notes=tuple(notes),
        value=facts.value if facts else None,
        waiting=facts.waiting if facts else None,
        unlinked=unlinked,
    )


def _where(look: Look, identity: tuple[int, int]) -> tuple[int, bytes]:
    """Somebody who has it, and the path shown there."""
    maps: list[tuple[int, Map]] = look.kept.get("memory mapped", {}).get(identity, [])
    if maps:
        return maps[0][0], maps[0][1].path
    rows: list[Held] = look.kept.get("memory held", {}).get(identity, [])
    if rows:
        return rows[0].pid, rows[0].link
    return os.getpid(), listed(look).get(identity, b"")


def _true_name(look: Look, pid: int, identity: Identity, path: bytes) -> tuple[bytes | None, bool | None]:
    """`/NAME` as it is in the folder now, and whether it is in it no more (None: not known).

    The path in `maps` will not do: its maker mapped the file under another name, before linking it.
    """
    if path and not path.endswith(b" (deleted)"):
        return b"/" + os.path.basename(path)[4:], False
    if is_watched(look, identity[0]):
        return None, None
    names: dict[int, dict[int, bytes]] = look.kept.setdefault("semaphores in /dev/shm", {})
    if identity[0] not in names:
        names[identity[0]] = _semaphore_files(pid)
    name = names[identity[0]].get(identity[1])
    return name, name is None


def _semaphore_files(pid: int) -> dict[int, bytes]:
    folder = b"/proc/%d/root/dev/shm/" % pid
    found: dict[int, bytes] = {}
    with contextlib.suppress(OSError):
        for name in posix.names_in(folder):
            if name.startswith(b"sem."):
                with contextlib.suppress(OSError):
                    found[os.lstat(folder + name).st_ino] = b"/" + name[4:]
    return found


def _shown(look: Look, id: str, identity: Identity, name: bytes | None, unlinked: bool | None) -> str:
    """Its name, also after sem_unlink when an earlier look saw it."""
    kept = look.recall.kept
    if name is not None:
        kept["semaphore", identity] = name
    known = kept.get(("semaphore", identity))
    if known:
        return known.decode("utf-8", "backslashreplace")
    return f"unlinked semaphore {id[10:]}" if unlinked else f"semaphore {id[10:]}"


_UNLINKED = "unlinked: it goes when the last process closes it"
_UNSEEN = "its value is not seen: no process of the picture has used it yet, or it may not be read"


def _facts(look: Look, id: str, pid: int, device: int, name: bytes | None) -> posix.SemFacts | None:
    """From the memory of a process that has used it, or from the file while that has a name."""
    data = mapped_head(look, id, posix.SEM_BYTES)
    if data is None and name is not None and not is_watched(look, device):
        try:
            data = posix.file_head(b"/proc/%d/root/dev/shm/sem.%s" % (pid, name[1:]), posix.SEM_BYTES)
        except Vanished:
            return None
        except (OSError, ValueError) as error:
            look.limit(f"the value of semaphore {os.fsdecode(name)}", f"its file may not be read: {error}")
    return posix.parse_sem(data) if data else None


def futex(look: Look, pid: int, address: int, arguments: tuple[int, ...]) -> str | None:
    """The object that a futex word lies in, when it is shared memory; a semaphore when it is one."""
    for map in look.maps(pid) or ():
        if map.start <= address < map.end:
            return _shared_word(look, pid, map, address, arguments) if map.shared else None
    return None


def _shared_word(look: Look, pid: int, map: Map, address: int, arguments: tuple[int, ...]) -> str:
    inside = object_of(look, pid, map)
    if inside.startswith("posix-sem-"):
        return inside
    in_page = memory.PAGE - address % memory.PAGE  # the next may not be there, and reading would bring it
    data = look.memory(pid, address, min(posix.SEM_BYTES, in_page)) or b""
    facts = posix.sem_waited_on(arguments[1], arguments[2] & 0xFFFFFFFF, data)
    if facts is None:
        return inside
    offset = map.offset + address - map.start
    id = look.reach("posix-sem", (map.device, map.inode, offset))
    look.add(
        PosixSem(
            id=id,
            kind="posix-sem",
            name=f"semaphore in {inside} at byte {offset}",
            notes=("made with sem_init: it has no name, and lies in memory that processes share",),
            value=facts.value,
            waiting=facts.waiting,
            inside=inside,
        )
    )
    return id
