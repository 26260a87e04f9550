"""Memory that processes have in common: memfds, POSIX shared memory, and every process's mappings."""

from __future__ import annotations

import os
import stat

from labkit.errors import Vanished
from labkit.kernel import memory, posix
from labkit.kernel.files import watched_devices
from labkit.kernel.memory import Pages
from labkit.kernel.proc import Map
from labkit.look import Held, Look, locks, parts
from labkit.scene import Mapping, Memory

HEAD_BYTES = 64
_TWO_NUMBERS = {0x794C7630: "overlay", 0x9123683E: "btrfs"}
"""Filesystems on which `stat` and `maps` may give one file different devices."""

Identity = tuple[int, int]


def descriptors(look: Look, held: list[Held]) -> None:
    """Say which memory these descriptors are open on; `objects` describes it."""
    for row in held:
        assert row.stat is not None
        identity = (row.stat.st_dev, row.stat.st_ino)
        kind = _kind_of_file(row.link)
        look.place(row, look.reach(kind, identity))
        _open_on(look).setdefault(identity, []).append(row)
    locks.describe(look, held)


def _open_on(look: Look) -> dict[Identity, list[Held]]:
    found: dict[Identity, list[Held]] = look.kept.setdefault("memory held", {})
    return found


def _mapped_on(look: Look) -> dict[Identity, list[tuple[int, Map]]]:
    found: dict[Identity, list[tuple[int, Map]]] = look.kept.setdefault("memory mapped", {})
    return found


def _kind_of_file(path: bytes) -> str:
    """memfd, posix-sem, posix-shm: for what lies on a filesystem in memory."""
    if memory.memfd_name(path) is not None:
        return "memfd"
    return "posix-sem" if posix.sem_name(path) else "posix-shm"


def objects(look: Look) -> None:
    """Every process's mappings, and each memory object they, or descriptors, lead to."""
    for pid in look.seen:
        look.mappings[pid] = _mappings(look, pid)
    if everything(look):
        _list_folder(look)
    for kind in ("memfd", "posix-shm"):
        for identity, id in look.reached(kind).items():
            look.add(_memory(look, kind, id, identity))  # type: ignore[arg-type]


def everything(look: Look) -> bool:
    """Is every IPC object to be in the picture, reached or not? So it is asked for, and so it is in a
    room of our own, where nobody else's can be."""
    outside = os.environ.get("LABKIT_OUTSIDE_IPC")
    return look.all_objects or (outside is not None and outside.encode() != os.readlink(b"/proc/self/ns/ipc"))


# --- mappings ---------------------------------------------------------------------------------------


def _mappings(look: Look, pid: int) -> tuple[Mapping, ...] | None:
    maps = look.maps(pid)
    if maps is None:
        return None if look.held.get(pid) is None else ()
    if not maps:
        return ()
    pages = memory.read_pages(look.seen[pid].witness, maps)
    if any(memory.is_large(map) for map in maps):
        look.limit(*_MANY_PAGES)
    return tuple(_mapping(look, pid, map, pages[map]) for map in maps)


_MANY_PAGES = (
    f"the pages of mappings of more than {memory.MOST_PAGES * memory.PAGE >> 20} MB",
    "there are too many to read them at each look",
)


def _mapping(look: Look, pid: int, map: Map, pages: Pages | None) -> Mapping:
    return Mapping(
        object=object_of(look, pid, map),
        size=map.end - map.start,
        prot=map.prot,
        shared=map.shared,
        pages=pages,
        start=map.start,
        offset=map.offset,
    )


def object_of(look: Look, pid: int, map: Map) -> str:
    """The id of what is mapped here, in the picture from now on."""
    shmid = memory.shmid(map)
    if shmid is not None:
        return look.reach("sysv-shm", parts.find("sysv", "identity")(look, pid, shmid))
    if memory.memfd_name(map.path) is not None:
        kind = "memfd"
    elif memory.is_anonymous(map):
        kind = "posix-shm"
    elif map.device == _shm_device(look, pid):
        kind = _kind_of_file(map.path)
    else:
        return look.reach("file", _file_identity(look, pid, map))
    rows = _mapped_on(look).setdefault((map.device, map.inode), [])
    if (pid, map) not in rows:
        rows.append((pid, map))
    return look.reach(kind, (map.device, map.inode))


def _shm_device(look: Look, pid: int) -> int | None:
    known: dict[int, int | None] = look.kept.setdefault("shm devices", {})
    if pid not in known:
        known[pid] = memory.shm_device(pid)
    return known[pid]


def _file_identity(look: Look, pid: int, map: Map) -> Identity:
    """Device and inode as `stat` gives them, so that descriptors and mappings agree."""
    files: dict[Identity, tuple[int, Map]] = look.kept.setdefault("files mapped", {})
    identity = (map.device, map.inode)
    if identity not in look.reached("file"):
        identity = _as_stat_says(pid, map) or identity
    files.setdefault(identity, (pid, map))
    return identity


def _as_stat_says(pid: int, map: Map) -> Identity | None:
    path = b"/proc/%d/root%s" % (pid, map.path)
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    known = (found.st_dev, found.st_ino)
    return known if known[1] == map.inode or _numbers_differ(path) else None


def _numbers_differ(path: bytes) -> bool:
    from labkit.kernel.syscalls import filesystem_type

    try:
        return filesystem_type(path) in _TWO_NUMBERS
    except OSError:
        return False


# --- objects ----------------------------------------------------------------------------------------


def _list_folder(look: Look) -> None:
    """What lies in /dev/shm: in a room all of it, else what is this user's."""
    mine, folder = os.getuid(), b"/dev/shm/"
    try:
        paths = [folder + name for name in posix.names_in(folder)]
    except OSError:
        return
    for path in paths:
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and (found.st_uid == mine or not look.all_objects):
            look.reach(_kind_of_file(path), (found.st_dev, found.st_ino))
            listed(look)[found.st_dev, found.st_ino] = path


def listed(look: Look) -> dict[Identity, bytes]:
    """Files of /dev/shm by device and inode, as far as they were listed."""
    found: dict[Identity, bytes] = look.kept.setdefault("memory listed", {})
    return found


def _memory(look: Look, kind: str, id: str, identity: Identity) -> Memory:
    rows, maps = _open_on(look).get(identity, []), _mapped_on(look).get(identity, [])
    path = rows[0].link if rows else maps[0][1].path if maps else listed(look).get(identity, b"")
    anonymous = bool(maps) and memory.is_anonymous(maps[0][1])
    return Memory(
        id=id,
        kind=kind,
        name=_name(id, path, anonymous),
        notes=(ANONYMOUS,) if anonymous else (),
        size=_size(rows, maps, path),
        unlinked=kind == "memfd" or anonymous or _unlinked(rows, path),
        seals=_seals(look, rows) if kind == "memfd" else None,
        head=_head(look, id, identity[0], rows, path),
    )


ANONYMOUS = "no name: it goes to children by fork only (MAP_SHARED|MAP_ANONYMOUS)"


def _name(id: str, path: bytes, anonymous: bool) -> str:
    if anonymous:
        return f"anonymous memory {id.rpartition('-')[2]}"
    name = memory.memfd_name(path)
    if name is not None:
        return name
    plain = path.removeprefix(b"/dev/shm").removesuffix(b" (deleted)")
    return plain.decode("utf-8", "backslashreplace")


def _size(rows: list[Held], maps: list[tuple[int, Map]], path: bytes) -> int | None:
    for row in rows:
        if row.stat is not None:
            return row.stat.st_size
    reach = max((map.offset + map.end - map.start for _, map in maps), default=None)
    pid = maps[0][0] if maps else os.getpid()
    try:
        found = os.stat(b"/proc/%d/root%s" % (pid, path))
    except (OSError, ValueError):
        return reach
    if maps and (found.st_dev, found.st_ino) != (maps[0][1].device, maps[0][1].inode):
        return reach
    return found.st_size


def _unlinked(rows: list[Held], path: bytes) -> bool | None:
    for row in rows:
        if row.stat is not None:
            return row.stat.st_nlink == 0
    return path.endswith(b" (deleted)")


def _seals(look: Look, rows: list[Held]) -> tuple[str, ...] | None:
    for row in rows:
        try:
            with look.copy(row.pid, row.fd) as copy:
                return posix.seals(copy)
        except Vanished:
            continue
        except OSError as error:
            look.refused("the seals of the memfds", row.pid, error, attach=True)
            return None
    return None


def _head(look: Look, id: str, device: int, rows: list[Held], path: bytes) -> bytes | None:
    head = mapped_head(look, id, HEAD_BYTES)
    if head is not None or is_watched(look, device):
        return head
    for place in [row.path for row in rows] or [path]:
        try:
            return posix.file_head(place, HEAD_BYTES)
        except (Vanished, OSError, ValueError):
            continue
    return None


def is_watched(look: Look, device: int) -> bool:
    """Would somebody in the picture wake when a file on this device is opened?"""
    watched: set[int] | None = look.kept.get("watched devices")
    if watched is None:
        rows = (row for table in look.held.values() for row in table or ())
        lines = [line for row in rows if row.link in _WATCHERS and row.info for line in row.info.more]
        watched = look.kept["watched devices"] = set(watched_devices(lines))
    if device in watched:
        look.limit(
            "the bytes of shared memory that nobody has mapped",
            "who watches its folder with inotify would be told that it was opened",
        )
    return device in watched


_WATCHERS = (b"anon_inode:inotify", b"anon_inode:[fanotify]")


def mapped_head(look: Look, id: str, size: int) -> bytes | None:
    """The first bytes of an object, through a process that has its first page in memory already."""
    for pid, mappings in look.mappings.items():
        for mapping in mappings or ():
            if mapping.object == id and mapping.shared and mapping.offset == 0 and "r" in mapping.prot:
                head = _present_bytes(look, pid, mapping, size)
                if head is not None:
                    return head
    return None


def _present_bytes(look: Look, pid: int, mapping: Mapping, size: int) -> bytes | None:
    assert mapping.start is not None
    if mapping.pages and mapping.pages[0][1] == "absent":
        return None
    if not mapping.pages and not memory.present(pid, mapping.start):
        return None
    return look.memory(pid, mapping.start, min(size, mapping.size))
