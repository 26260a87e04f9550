"""Names that stay with processes: `server`, `server/child 2`, `parent`, `child`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labkit.errors import Vanished
from labkit.kernel import proc


class Names:
    """A process keeps its name while it lives, and its number is never given to another."""

    def __init__(self, programs: Mapping[int, str]) -> None:
        self.programs: Mapping[int, str] = programs
        self._given: dict[tuple[int, int], tuple[str, int]] = {}
        """(pid, start) -> its name, and the root of its program."""
        self._roots: dict[int, str] = {}
        self._children: dict[int, int] = {}
        self._taken: dict[str, int] = {}

    def name(self, stat: proc.Stat, root: int, alone: bool) -> str:
        """The name of a process of the program `root`; ask in the order of forks."""
        if stat.pid in self.programs:
            self._given[stat.pid, stat.start] = self.programs[stat.pid], root
            return self.programs[stat.pid]
        known = self._given.get((stat.pid, stat.start))
        if known is None:
            name = self._root(stat, alone) if stat.pid == root else self._child(root)
            known = self._given[stat.pid, stat.start] = name, root
        if stat.pid == root:
            self._roots[root] = known[0]
        return known[0]

    def _root(self, stat: proc.Stat, alone: bool) -> str:
        word = "parent" if alone else stat.command.decode("utf-8", "backslashreplace") or "process"
        count = self._taken[word] = self._taken.get(word, 0) + 1
        return word if count == 1 else f"{word} {count}"

    def _child(self, root: int) -> str:
        count = self._children[root] = self._children.get(root, 0) + 1
        word = "child" if count == 1 else f"child {count}"
        program = self.programs.get(root) or self._roots.get(root, "parent")
        return word if program == "parent" else f"{program}/{word}"

    def members(self, roots: Iterable[int]) -> list[tuple[int, int]]:
        """(root, pid) of everybody seen earlier in these programs who still lives."""
        wanted = set(roots)
        alive = []
        for (pid, start), (_, root) in list(self._given.items()):
            if root in wanted and pid != root:
                if _lives(pid, start):
                    alive.append((root, pid))
                else:
                    del self._given[pid, start]
        return alive


def _lives(pid: int, start: int) -> bool:
    try:
        return proc.read_stat(pid).start == start
    except (Vanished, PermissionError):
        return False
