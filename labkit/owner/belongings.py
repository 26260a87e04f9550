"""What a notebook's programs have made that outlives them: known, suspected, and removed at the end.

*Known* to be theirs is what came into being after the notebook did, belongs to its user, and either
bears the notebook's name or key, was created by one of its processes, or was seen held by one. What
only came into being meanwhile is *suspected*: `labkit clean` lists it and asks.

A journal on disk says what is known, so that whoever is left can remove it when the owner is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from labkit import names
from labkit.kernel import remains
from labkit.kernel.remains import Thing

JOURNAL = "journal.json"
_YOUNG_S = 60
_PATIENCE_S = 0.2


@dataclass
class Journal:
    """What is written down about one notebook."""

    notebook: int
    ipc: str
    scope: str
    known: list[Thing] = field(default_factory=list)
    suspected: list[Thing] = field(default_factory=list)

    @classmethod
    def read(cls, path: str) -> Journal | None:
        """The journal in this file; None when there is none that can be read."""
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            for kind in ("known", "suspected"):
                data[kind] = [Thing(*thing) for thing in data[kind]]
            return cls(**data)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: str) -> None:
        """Write it so that nobody ever reads half of it."""
        new = f"{path}.{os.getpid()}"
        with open(new, "w", encoding="utf-8") as file:
            json.dump(vars(self), file)
        os.replace(new, path)


class Belongings:
    """Kept by the owner while programs run."""

    def __init__(self, notebook: int, folder: str) -> None:
        self.folder = folder
        self.journal = Journal(notebook, ipc_namespace(), names.scope())
        self._known: set[Thing] = set()
        self._suspected: set[Thing] = set()
        self._began_ns = time.time_ns() - 20_000_000
        self._before = {owned.thing for owned in remains.system_v()}
        self._before |= {thing for thing, _ in remains.in_shm()}
        self._user = os.geteuid()
        self._key_prefix = names.key_prefix(names.scope())
        self._prefix = f"labkit-{names.scope()}-"
        self._lock = _locked(folder)
        if self._lock is None:  # we are an owner within a program of another owner
            self.folder = os.path.join(folder, f"owner-{os.getpid()}")
            self._lock = _locked(self.folder)
        self._write()

    def look(self, pids: Iterable[int], ever: set[int]) -> None:
        """Learn what these processes hold, and what any that ever was one of them made."""
        known, suspected = set(self._known), set(self._suspected)
        for owned in remains.system_v():
            if owned.uid == self._user and owned.thing not in self._before:
                theirs = self._is_ours(owned, ever)
                (known if theirs else suspected).add(owned.thing)
        for thing, uid in remains.in_shm():
            if uid == self._user and thing not in self._before:
                (known if self._prefix in thing.name else suspected).add(thing)
        began = time.monotonic()
        for pid in pids:
            known.update(thing for thing in remains.held_by(pid) if self._is_new(thing))
            if time.monotonic() - began > _PATIENCE_S:
                break  # a bomb: reading the memory map of a process that forks can take long
        suspected -= known
        if (known, suspected) != (self._known, self._suspected):
            self._known, self._suspected = known, suspected
            self._write()

    def nothing_runs(self) -> None:
        """What came while no program ran is somebody else's; what is gone is forgotten."""
        present = {owned.thing for owned in remains.system_v()} | {t for t, _ in remains.in_shm()}
        self._before |= present - self._known - self._suspected

    def remove(self) -> None:
        """Remove what is known, and leave word of what is only suspected."""
        remove(self.journal)
        empty(self.folder)

    def _is_ours(self, owned: remains.Owned, ever: set[int]) -> bool:
        if owned.key >> 20 == self._key_prefix:
            return True
        if owned.creator is not None:
            return owned.creator in ever
        return any(pid in ever for pid in owned.users)

    def _is_new(self, thing: Thing) -> bool:
        """True when it came into being after the notebook's owner did, and is its user's."""
        if thing in self._known:
            return True
        if thing.kind == "posix":
            return thing not in self._before and _user_of(thing.name) == self._user
        if thing.kind == "posix-mq":
            return (remains.queue_changed_ns(thing.name) or 0) >= self._began_ns
        born = remains.born_ns(thing.name)
        return born is not None and born >= self._began_ns and _user_of(thing.name) == self._user

    def _write(self) -> None:
        self.journal.known, self.journal.suspected = sorted(self._known), sorted(self._suspected)
        with contextlib.suppress(OSError):
            self.journal.write(os.path.join(self.folder, JOURNAL))


def _locked(folder: str) -> int | None:
    """Make the folder ours: a descriptor that holds its lock, or None when somebody else does."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(folder, names.LOCK), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _user_of(path: str) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def remove(journal: Journal) -> list[Thing]:
    """Remove what a journal knows, and leave word of what it suspects. What was removed."""
    same = journal.ipc == ipc_namespace()
    things = [thing for thing in journal.known if same or thing.kind in ("fifo", "socket")]
    suspected = [thing for thing in journal.suspected if same and remains.there(thing)]
    if suspected:
        _leave_word(journal, suspected)
    return [thing for thing in things if remains.remove(thing)]


def empty(folder: str, keep: str | None = None) -> None:
    """Remove a scratch folder but for `keep`; of one that is a mount of its own, what is in it."""
    for entry in list(os.scandir(folder)) if os.path.isdir(folder) else []:
        if entry.name == keep:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


# --- word of what was left --------------------------------------------------------------------------


def suspects_folder() -> str:
    """Where word of suspected objects is kept until `labkit clean`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "labkit", "suspected")


def _leave_word(journal: Journal, suspected: list[Thing]) -> None:
    with contextlib.suppress(OSError):
        os.makedirs(suspects_folder(), mode=0o700, exist_ok=True)
        word = Journal(journal.notebook, journal.ipc, journal.scope, [], suspected)
        word.write(os.path.join(suspects_folder(), f"{journal.scope}.json"))


def ipc_namespace() -> str:
    """The name of this process's IPC namespace."""
    try:
        return os.readlink("/proc/self/ns/ipc")
    except OSError:
        return ""


def abandoned() -> list[str]:
    """Scratch folders of this user whose owner is dead."""
    found = []
    start = f"labkit-{os.getuid()}-"
    for entry in os.scandir(names.temporary()):
        if entry.name.startswith(start) and entry.is_dir(follow_symlinks=False):
            if entry.stat(follow_symlinks=False).st_uid == os.geteuid() and not _is_locked(entry.path):
                found.append(entry.path)
    return sorted(found)


def _is_locked(folder: str) -> bool:
    try:
        fd = os.open(os.path.join(folder, names.LOCK), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - os.lstat(folder).st_mtime < _YOUNG_S  # its owner is about to lock it
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
