"""File locks in the picture: who holds one, and who waits for it."""

from __future__ import annotations

from labkit.kernel import locks, syscalls
from labkit.kernel.locks import LockFacts, Wish
from labkit.look import Held, Look
from labkit.scene import File, Lock

Identity = tuple[str, str, str, int, int | None]
"""File, type, mode, first and last byte: those who share a read lock hold one object together."""


class Locks:
    """The locks of one look."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.holders: dict[Identity, set[int]] = {}
        self.waiting: dict[Identity, set[int]] = {}
        self.facts: dict[Identity, LockFacts] = {}
        self.files: dict[bytes, str] = {}
        """The kernel's name of a file -> the id of its object."""
        self._listed: list[locks.Listed] | None = None

    def held(self, row: Held) -> None:
        """Take in the locks that fdinfo shows at this descriptor."""
        for facts in locks.parse_held(row.info.more if row.info else ()):
            file = self.look.placed.get((row.pid, row.fd))
            if file is not None:
                self.files[facts.file] = file
                self._key(file, facts, row.pid)

    def _key(self, file: str, facts: LockFacts, holder: int | None) -> Identity:
        key = _key_of(file, facts)
        self.facts[key] = facts
        holders = self.holders.setdefault(key, set())
        if holder is not None:
            holders.add(holder)
        return key

    @property
    def listed(self) -> list[locks.Listed]:
        """/proc/locks, read once, and only when asked for."""
        if self._listed is None:
            self._listed = locks.read_locks()
        return self._listed

    def take_waiters(self) -> None:
        """Who waits for these locks, and who outside the picture holds one of them too."""
        for one in self.listed:
            file = self.files.get(one.lock.file)
            if file is None or not (one.waiting or _key_of(file, one.lock) in self.facts):
                continue
            key = self._key(file, one.lock, _owner(one.lock))
            self.waiting.setdefault(key, set()).update(w.pid for w in one.waiting if w.pid is not None)

    def wanted_by(self, pid: int, file: str, wish: Wish, through: set[Identity]) -> Identity | None:
        """The lock that blocks this process's call; `through`: what it holds by the same description."""
        key = self._told(pid, file, wish) or next(
            (
                key
                for key, facts in self.facts.items()
                if key[0] == file
                and self._blocks(key, facts, pid, wish)
                and not (key in through and self.holders[key] == {pid})
            ),
            None,
        )
        if key is not None:
            self.waiting.setdefault(key, set()).add(pid)
        return key

    def _told(self, pid: int, file: str, wish: Wish) -> Identity | None:
        """As /proc/locks has it; also when a stranger holds the lock."""
        for one in self.listed:
            waits = any(w.pid == pid and w.type == wish.type for w in one.waiting)
            if waits and self.files.setdefault(one.lock.file, file) == file:
                key = self._key(file, one.lock, _owner(one.lock))
                if not self.holders[key] and one.lock.pid is not None:
                    self.holders[key].add(one.lock.pid)
                return key
        return None

    def _blocks(self, key: Identity, facts: LockFacts, pid: int, wish: Wish) -> bool:
        if (facts.type == "flock") != (wish.type == "flock"):
            return False
        if facts.type == wish.type == "posix" and self.holders[key] == {pid}:
            return False
        shared = wish.mode == facts.mode == "read"
        return not shared and facts.overlaps(facts._replace(start=wish.start, end=wish.end))

    def id(self, key: Identity) -> str:
        """The id of this lock in the picture."""
        return self.look.reach("lock", key)

    def add(self) -> None:
        """Put the locks into the picture."""
        for key, facts in self.facts.items():
            self.look.add(
                Lock(
                    id=self.id(key),
                    kind="lock",
                    name=self._name(key[0], facts),
                    type=facts.type,
                    mode=facts.mode,
                    file=key[0],
                    holders=tuple(sorted(self.holders[key])) or None,
                    waiting=tuple(sorted(self.waiting.get(key, ()))),
                    start=facts.start,
                    end=facts.end,
                )
            )

    def _name(self, file: str, facts: LockFacts) -> str:
        object = self.look.objects.get(file)
        path = object.path if isinstance(object, File) and object.path else file
        if facts.type == "flock":
            return f"flock on {path}"
        last = "the end" if facts.end is None else facts.end
        return f"{facts.mode} lock on bytes {facts.start} to {last} of {path}"


def _key_of(file: str, facts: LockFacts) -> Identity:
    return file, facts.type, facts.mode, facts.start, facts.end


def _owner(facts: LockFacts) -> int | None:
    """Whom the list names for certain: a record lock is its process's own; a flock's maker may be gone."""
    return facts.pid if facts.type == "posix" else None


def _of(look: Look) -> Locks:
    found: Locks = look.kept.setdefault("locks", Locks(look))
    return found


def describe(look: Look, held: list[Held]) -> None:
    """The locks held through these descriptors."""
    found = _of(look)
    for row in held:
        if row.info is not None and any(line.startswith(b"lock:") for line in row.info.more):
            found.held(row)
    if found.facts:
        found.take_waiters()
        found.add()


def held_outside(look: Look, lock: Lock) -> bool | None:
    """Has somebody outside the picture the open file description that holds this lock? He could unlock it.

    Or one of his own that holds it too, where it is shared.
    """
    if lock.type == "posix":
        return False
    rows = [row for rows in look.held.values() for row in rows or () if _holds(look, row, lock)]
    if not rows or rows[0].stat is None:
        return None
    if lock.mode == "read" and (more := _shared_outside(look, rows, lock)) is not False:
        return more
    strangers = look.outside.holders_of_file((rows[0].stat.st_dev, rows[0].stat.st_ino))
    try:
        if any(_is_same(row, *stranger) for stranger in strangers for row in rows):
            return True
    except OSError:
        return None
    return look.outside.proven(made_inside=True)


def _holds(look: Look, row: Held, lock: Lock) -> bool:
    if row.pid not in (lock.holders or ()) or look.placed.get((row.pid, row.fd)) != lock.file:
        return False
    held = locks.parse_held(row.info.more if row.info else ())
    return any(_key_of(lock.file or "", facts) == _key_of_lock(lock) for facts in held)


def _key_of_lock(lock: Lock) -> Identity:
    return lock.file or "", lock.type or "", lock.mode or "", lock.start or 0, lock.end


def _shared_outside(look: Look, rows: list[Held], lock: Lock) -> bool | None:
    """Are there more such locks than descriptions in the picture that hold one?"""
    found = _of(look)
    listed = [
        one for one in found.listed
        if (file := found.files.get(one.lock.file)) and _key_of(file, one.lock) == _key_of_lock(lock)
    ]  # fmt: skip
    if len(listed) <= 1:
        return False
    try:
        same = [any(_is_same(row, other.pid, other.fd) for other in rows[:at]) for at, row in enumerate(rows)]
    except OSError:
        return None
    return len(listed) > same.count(False)


def _is_same(row: Held, pid: int, fd: int) -> bool:
    return syscalls.kcmp(row.pid, pid, syscalls.KCMP_FILE, row.fd, fd) == 0


def lock_waited(look: Look, pid: int, call: str, fd: int, arguments: tuple[int, ...]) -> str | None:
    """The lock that a blocked `flock` or `fcntl` waits for."""
    file = look.placed.get((pid, fd))
    wish = _wish(look, pid, call, fd, arguments)
    if file is None or wish is None:
        return None
    found, row = _of(look), look.row(pid, fd)
    held = locks.parse_held(row.info.more if row and row.info else ())
    key = found.wanted_by(pid, file, wish, {_key_of(file, facts) for facts in held})
    if key is None:
        return None
    found.add()
    return found.id(key)


def _wish(look: Look, pid: int, call: str, fd: int, arguments: tuple[int, ...]) -> Wish | None:
    if call == "flock":
        return Wish("flock", "read" if arguments[1] & locks.LOCK_SH else "write", 0, None)
    type = {locks.F_SETLKW: "posix", locks.F_OFD_SETLKW: "ofd"}.get(arguments[1])
    request = locks.parse_flock(look.memory(pid, arguments[2], 32) or b"")
    row = look.row(pid, fd)
    if type is None or request is None or row is None:
        return None
    offset = row.info.offset if row.info else None
    return locks.wished(request, type, offset or 0, row.stat.st_size if row.stat else 0)
