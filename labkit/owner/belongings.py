"""What a notebook's programs have made that outlives them: known, suspected, and removed at the end.

*Known* to be theirs is what came into being after the notebook did, belongs to its user, and either
bears the notebook's name or key, was created or last used by one of its processes, or was seen held by
one. What only came into being meanwhile is *suspected*: `labkit clean` lists it and asks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Iterable

from labkit import names
from labkit.kernel import remains
from labkit.kernel.remains import Thing
from labkit.kernel.two_users import OTHER_USER
from labkit.owner import journal
from labkit.owner.family import state
from labkit.owner.journal import Journal

_PATIENCE_S = 0.2
_FEW = 4


class Belongings:
    """Kept by the owner while programs run; taken over by the notebook's process when the owner dies."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._before = set(journal.before)
        self._known = set(journal.known)
        self._suspected = set(journal.suspected)
        self._key_prefix = names.key_prefix(journal.scope)
        self._prefix = f"labkit-{journal.scope}-"

    @classmethod
    def begin(cls, notebook: int, folder: str) -> Belongings:
        """Begin a journal; what is there now is nobody's of ours."""
        os.makedirs(folder, mode=0o700, exist_ok=True)
        begun = cls(Journal.new(notebook, folder))
        begun.lock = journal.lock(begun.journal.path)
        begun._before = set(_everything())
        begun._write()
        return begun

    lock: int | None = None
    """Held for as long as the owner lives."""

    def look(self, pids: Collection[int], ever: Iterable[int]) -> None:
        """Learn what these processes hold, and what any that ever was one of them made."""
        pids_ever = {*ever, *self.journal.ever}
        known, suspected = set(self._known), set(self._suspected)
        for owned in remains.system_v():
            if self._is_user(owned.uid) and owned.thing not in self._before:
                (known if self._is_ours(owned, pids_ever) else suspected).add(owned.thing)
        for thing, uid in remains.in_shm():
            if self._is_user(uid) and thing not in self._before:
                (known if self._prefix in thing.name else suspected).add(thing)
        known |= self._held(pids)
        suspected -= known
        known |= self._mapped(pids, {thing for thing in suspected if thing.kind == "posix"})
        suspected -= known
        if (known, suspected) != (self._known, self._suspected):
            self._known, self._suspected = known, suspected
            self.journal.ever = sorted(pids_ever)
            self._write()

    def nothing_runs(self) -> None:
        """What came while no program ran is somebody else's."""
        new = set(_everything()) - self._known - self._suspected - self._before
        if new:
            self._before |= new
            self._write()

    def remove(self, alive: bool = True) -> None:
        """Remove what is known, then the scratch folder; keep word of what is only suspected.

        `alive`: if it was in a room, that room is this one.
        """
        self._note()
        self.journal.remove_known(alive)
        self.journal.close()
        if alive or not self.journal.in_room:
            empty(self.journal.folder)

    def _held(self, pids: Collection[int]) -> set[Thing]:
        found: set[Thing] = set()
        began = time.monotonic()
        for pid in pids:
            found.update(thing for thing in remains.opened_by(pid) if self._is_new(thing))
            if time.monotonic() - began > _PATIENCE_S:
                break
        return found

    def _mapped(self, pids: Collection[int], unclear: set[Thing]) -> set[Thing]:
        """Which of these somebody has mapped. Of many that run, each may be forking: none is waited for."""
        few = len(pids) <= _FEW
        found: set[Thing] = set()
        for pid in pids if unclear else ():
            now = state(pid)
            if now is not None and (few or now.state in "ST"):
                found.update(unclear.intersection(remains.mapped_by(pid)))
        return found

    def _is_ours(self, owned: remains.Owned, ever: set[int]) -> bool:
        if owned.key >> 20 == self._key_prefix:
            return True
        if owned.creator is not None:
            return owned.creator in ever
        return any(pid in ever for pid in owned.users)

    def _is_user(self, uid: int | None) -> bool:
        """The notebook's user, or the other user that root's programs may run as."""
        return uid == self.journal.user or (self.journal.user == 0 and uid == OTHER_USER)

    def _is_new(self, thing: Thing) -> bool:
        """True when it came into being after the owner did, and is its user's."""
        if thing in self._known:
            return True
        began = self.journal.began_ns
        if thing.kind == "posix-mq":
            changed = remains.queue_changed(thing.name)
            return changed is not None and changed >= began // 10**9
        if thing in self._before or not self._is_user(_user_of(thing.name)):
            return False
        born = remains.born_ns(thing.name)
        return thing.kind == "posix" or (born is not None and born >= began)

    def _note(self) -> None:
        self.journal.before = sorted(self._before)
        self.journal.known, self.journal.suspected = sorted(self._known), sorted(self._suspected)

    def _write(self) -> None:
        self._note()
        self.journal.write()


def _everything() -> Iterable[Thing]:
    yield from (owned.thing for owned in remains.system_v())
    yield from (thing for thing, _ in remains.in_shm())


def _user_of(path: str) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


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
