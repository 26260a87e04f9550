"""Who is in the picture: the processes named, and all their descendants."""

from __future__ import annotations

import os
from collections.abc import Iterable

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.look import Look, Seen
from labkit.look.family import Names
from labkit.scene import State

STATES: dict[str, State] = {
    "R": "running", "S": "sleeping", "D": "sleeping", "I": "sleeping",
    "T": "stopped", "t": "stopped", "Z": "zombie", "X": "dead", "x": "dead",
}  # fmt: skip
"""The kernel's letters (proc(5)) in words."""


class Found:
    """What was read of one process while the family was gathered."""

    __slots__ = ("schedule", "stat", "still", "threads")

    def __init__(self, stat: proc.Stat, threads: tuple[int, ...], schedule: bytes, still: bool) -> None:
        self.still = still
        self.stat = stat
        self.threads = threads
        self.schedule = schedule


def find(look: Look, pids: Iterable[int], names: Names) -> None:
    """Fill `look.seen` with the processes named and all their descendants, program by program."""
    search = _Search(look, pids)
    found = {root: search.family(root) for root in search.roots}
    search.add_orphans(found, names)
    for root, family in found.items():
        alone = len(search.roots) == 1
        for pid, one in sorted(
            family.items(), key=lambda item: (item[0] != root, item[1].stat.start, item[0])
        ):
            if pid not in look.seen:
                name = names.name(one.stat, root, alone)
                status, command = _status(look, pid), _command(look, one)
                look.seen[pid] = Seen(
                    one.stat, status, one.threads, name, root, command, one.schedule, one.still
                )


class _Search:
    def __init__(self, look: Look, pids: Iterable[int]) -> None:
        self.look = look
        self.roots = list(dict.fromkeys(look.recall.leader(pid) for pid in pids))
        self._taken = set(self.roots)
        self._made_by: dict[int, list[int]] | None = None

    def family(self, root: int) -> dict[int, Found]:
        """`root` and its descendants, as far as they are nobody else's."""
        found: dict[int, Found] = {}
        todo = [root]
        while todo:
            pid = todo.pop()
            if pid in found or (pid in self._taken and pid != root):
                continue
            one = self._read(pid)
            if one is not None:
                found[pid] = one
                self._taken.add(pid)
                if pid not in self.look.childless:
                    todo.extend(self._children(pid, one.threads))
        return found

    def add_orphans(self, found: dict[int, dict[int, Found]], names: Names) -> None:
        """Descendants whose parents died: seen earlier, or of the session that a root leads."""
        for root, pid in [*names.members(self.roots), *self._adopted(found)]:
            if pid not in self._taken:
                found[root].update(self.family(pid))

    def _adopted(self, found: dict[int, dict[int, Found]]) -> list[tuple[int, int]]:
        parents = {family[root].stat.ppid for root, family in found.items() if root in family}
        candidates = [
            child
            for parent in sorted(parents | {os.getpid()})
            for child in self._children(parent, _threads_or_none(parent))
            if child not in self._taken and child != os.getpid()
        ]
        read = [(pid, self._read(pid)) for pid in candidates]
        return [(one.stat.session, pid) for pid, one in read if one and one.stat.session in found]

    def _read(self, pid: int) -> Found | None:
        base, recall = b"/proc/%d/" % pid, self.look.recall
        try:
            schedule = recall.files.read(base + proc.schedule_file())
            stat = recall.parsed((pid, "stat"), recall.files.read(base + b"stat"), proc.parse_stat)
            one = stat.threads == 1 and stat.state not in "ZX"
            threads = (pid,) if one else tuple(proc.numbers_in(base + b"task"))
        except (Vanished, PermissionError):
            return None
        still = recall.still(pid, schedule, one and stat.state in "SDT")
        return Found(stat, threads, schedule, still)

    def _children(self, pid: int, threads: tuple[int, ...]) -> list[int]:
        if not proc.shows_children():
            return self._scanned().get(pid, [])
        children: list[int] = []
        for tid in threads:
            try:
                text = self.look.recall.files.read(b"/proc/%d/task/%d/children" % (pid, tid))
                children += proc.parse_children(text)
            except (Vanished, PermissionError):
                continue
        return children

    def _scanned(self) -> dict[int, list[int]]:
        if self._made_by is None:
            self._made_by = {}
            for pid in proc.numbers_in(b"/proc"):
                try:
                    self._made_by.setdefault(proc.read_stat(pid).ppid, []).append(pid)
                except (Vanished, PermissionError):
                    continue
        return self._made_by


def _threads_or_none(pid: int) -> tuple[int, ...]:
    try:
        return tuple(proc.numbers_in(b"/proc/%d/task" % pid))
    except (Vanished, PermissionError):
        return ()


def _status(look: Look, pid: int) -> proc.Status | None:
    try:
        text = look.recall.files.read(b"/proc/%d/status" % pid)
        return look.recall.parsed((pid, "status"), text, proc.parse_status)
    except (Vanished, PermissionError):
        return None


def _command(look: Look, one: Found) -> str:
    pid, known = one.stat.pid, look.recall.commands
    if not one.still or pid not in known:
        try:
            text = proc.read(b"/proc/%d/cmdline" % pid)
        except (Vanished, PermissionError):
            text = b""
        known[pid] = look.recall.parsed((pid, "command"), text, _command_line) or words(one.stat.command)
    return known[pid]


def _command_line(text: bytes) -> str:
    if not text:
        return ""
    arguments = [words(argument) for argument in text.removesuffix(b"\0").split(b"\0")]
    return " ".join(a if a and not set(a) & set(" \t\n'\"") else f"'{a}'" for a in arguments)


def words(name: bytes) -> str:
    """A name out of the kernel as text; bytes that are no text as `\\xff`."""
    return name.decode("utf-8", "backslashreplace")


def ended(stat: proc.Stat) -> int | None:
    """Exit status of a zombie, or minus its signal; None when this machine will not say."""
    if stat.exit_code is None or (stat.exit_code == 0 and not _exit_is_shown(stat.pid)):
        return None
    signal = stat.exit_code & 0x7F
    return -signal if signal else stat.exit_code >> 8 & 0xFF


def _exit_is_shown(pid: int) -> bool:
    try:
        os.readlink(b"/proc/%d/exe" % pid)
    except PermissionError:
        return False
    except OSError:  # a zombie has no program any more: this answer is given only to those who may ask
        return True
    return True
