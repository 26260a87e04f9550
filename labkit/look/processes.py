"""Who is in the picture: the processes named, all their descendants, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.look import Look, Seen
from labkit.scene import State

STATES: dict[str, State] = {
    "R": "running", "S": "sleeping", "D": "sleeping", "I": "sleeping",
    "T": "stopped", "t": "stopped", "Z": "zombie", "X": "dead", "x": "dead",
}  # fmt: skip
"""The kernel's letters (proc(5)) in words."""


class Names:
    """Names that stay with a process, and are never given to another."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.programs: Mapping[int, str] = names
        self._given: dict[tuple[int, int], str] = {}
        self._roots: dict[int, str] = {}
        self._children: dict[str, int] = {}
        self._taken: dict[str, int] = {}

    def root(self, stat: proc.Stat, alone: bool) -> str:
        """The name of a program's first process."""
        if stat.pid in self.programs:
            return self.programs[stat.pid]
        given = self._given.get((stat.pid, stat.start))
        if given is None:
            word = (
                "parent"
                if alone
                else stat.command.decode("utf-8", "replace") or "process"
            )
            given = self._given[stat.pid, stat.start] = self._numbered(word)
        return given

    def child(self, stat: proc.Stat, root: str) -> str:
        """`child`, `child 2`… of the program `root`; call in the order of forks."""
        given = self._given.get((stat.pid, stat.start))
        if given is None:
            count = self._children[root] = self._children.get(root, 0) + 1
            word = "child" if count == 1 else f"child {count}"
            given = word if root == "parent" else f"{root}/{word}"
            self._given[stat.pid, stat.start] = given
        return given

    def _numbered(self, word: str) -> str:
        count = self._taken[word] = self._taken.get(word, 0) + 1
        return word if count == 1 else f"{word} {count}"


def find(look: Look, pids: Iterable[int], names: Names) -> None:
    """Fill `look.seen` with the processes named and all their descendants, program by program."""
    roots = list(dict.fromkeys(pids))
    unnamed = [pid for pid in roots if pid not in names.programs]
    family: dict[int, tuple[proc.Stat, tuple[int, ...]]] = {}
    for root in roots:
        mine = _descendants(root, stop=set(roots) - {root})
        for pid, (stat, threads) in _in_order_of_forks(mine, root):
            if pid in look.seen:
                continue
            name = (
                names.root(stat, len(unnamed) == 1 and len(roots) == 1)
                if pid == root
                else None
            )
            if name is None:
                name = names.child(
                    stat, look.seen[root].name if root in look.seen else "parent"
                )
            look.seen[pid] = Seen(stat, _status(pid), threads, name, root)
    del family


Found = dict[int, tuple[proc.Stat, tuple[int, ...]]]


def _in_order_of_forks(
    found: Found, root: int
) -> list[tuple[int, tuple[proc.Stat, tuple[int, ...]]]]:
    return sorted(
        found.items(), key=lambda item: (item[0] != root, item[1][0].start, item[0])
    )


def _descendants(root: int, stop: set[int]) -> Found:
    found: Found = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in found or pid in stop:
            continue
        try:
            stat = proc.read_stat(pid)
            threads = tuple(proc.numbers_in(b"/proc/%d/task" % pid))
        except (Vanished, PermissionError):
            continue
        found[pid] = stat, threads
        for tid in threads:
            todo.extend(_children(pid, tid))
    return found


def _children(pid: int, tid: int) -> tuple[int, ...]:
    try:
        return proc.parse_children(proc.read(b"/proc/%d/task/%d/children" % (pid, tid)))
    except (Vanished, PermissionError):
        return ()


def _status(pid: int) -> proc.Status | None:
    try:
        return proc.parse_status(proc.read(b"/proc/%d/status" % pid))
    except (Vanished, PermissionError):
        return None
