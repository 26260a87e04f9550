"""What is written down about a notebook's programs, so that whoever is left can tidy up after them.

A journal lies in the user's cache folder, one for each owner, with a lock that the owner holds as long
as it lives. A journal without its lock is of an owner that was killed together with its notebook, or
of one that has ended and left word of what it only suspected.

Some facts:

- A lock of flock(2) goes with its last holder, however that ends, and is seen through namespaces.
- Inodes of namespaces are used again, and so are the ids in them: what is written of a room's own
  objects must not be believed after the room. The kernel has removed them anyway; files it has not.
- A home folder may be shared by several machines, and outlives a boot.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from labkit import names, room
from labkit.kernel import remains
from labkit.kernel.remains import Thing

_FILES = ("fifo", "socket")
_YOUNG_S = 60


@dataclass
class Journal:
    """One owner's."""

    notebook: int
    scope: str
    folder: str
    """The scratch folder."""
    boot: str
    ipc: str
    in_room: bool
    user: int
    began_ns: int
    before: list[Thing] = field(default_factory=list)
    """What was there before any program ran: never theirs."""
    known: list[Thing] = field(default_factory=list)
    suspected: list[Thing] = field(default_factory=list)
    ever: list[int] = field(default_factory=list)
    """Every pid that was seen among its programs."""

    @classmethod
    def new(cls, notebook: int, folder: str) -> Journal:
        """A journal that begins now."""
        return cls(
            notebook=notebook,
            scope=names.scope(),
            folder=folder,
            boot=_boot(),
            ipc=_ipc_namespace(),
            in_room=room.inside(),
            user=os.geteuid(),
            began_ns=time.time_ns() - 20_000_000,  # file times come from a coarser clock
        )

    @property
    def path(self) -> str:
        """Where it is written."""
        return os.path.join(journals(), f"{self.notebook}.json")

    @property
    def is_of_here(self) -> bool:
        """True when the kernel objects it speaks of can be those of this IPC namespace."""
        return self.boot == _boot() and self.ipc == _ipc_namespace()

    def write(self) -> None:
        """Write it so that nobody ever reads half of it."""
        new = f"{self.path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            with open(new, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            os.replace(new, self.path)

    def remove_known(self, alive: bool = False) -> list[Thing]:
        """Remove what is known to be the programs'. `alive`: the room it speaks of is this one."""
        objects = self.is_of_here and (alive or not self.in_room)
        things = [thing for thing in self.known if objects or thing.kind in _FILES]
        removed = [thing for thing in things if remains.remove(thing)]
        self.known = []
        return removed

    def still_suspected(self) -> list[Thing]:
        """What is suspected and still there."""
        return [thing for thing in self.suspected if self.is_of_here and remains.there(thing)]

    def close(self) -> None:
        """The owner has ended: leave word of what is suspected, if it is still there, or no word at all."""
        self.suspected = self.still_suspected()
        self.before, self.ever = [], []
        if self.suspected and not self.in_room:
            self.write()
        else:
            _unlink(self.path)
        _unlink(_lock_of(self.path))


def journals() -> str:
    """The folder of all journals of this user; the scratch folder where there can be none."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(base, "labkit", "journals")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return names.folder()
    return folder if os.access(folder, os.W_OK) else names.folder()


def read(path: str) -> Journal | None:
    """The journal in this file; None when there is none that can be understood."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        for kind in ("before", "known", "suspected"):
            data[kind] = [Thing(*thing) for thing in data[kind]]
        return Journal(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def lock(path: str) -> int | None:
    """A descriptor that holds a journal's lock; None when its owner does."""
    fd = os.open(_lock_of(path), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def abandoned() -> Iterator[Journal]:
    """Journals of this boot whose owner is gone. Each is locked while it is looked at."""
    folder = journals()
    stems = {os.path.splitext(entry)[0] for entry in os.listdir(folder) if entry.endswith((".json", ".lock"))}
    for path in (os.path.join(folder, stem + ".json") for stem in sorted(stems)):
        held = lock(path)
        if held is None:
            continue
        try:
            journal = read(path)
            if journal is not None and journal.boot == _boot():
                yield journal
            elif _is_old(path):
                _unlink(path)  # of another boot: the kernel has nothing of it any more
        finally:
            if not os.path.exists(path):
                _unlink(_lock_of(path))
            os.close(held)


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime > _YOUNG_S
    except FileNotFoundError:
        return False


def _lock_of(path: str) -> str:
    return path.removesuffix(".json") + ".lock"


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _ipc_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/ipc")
    except OSError:
        return ""
