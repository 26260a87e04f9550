"""What one XRay remembers from look to look: names, numbers, times, and texts parsed already.

Most of what /proc says does not change between two looks, and comparing bytes is far cheaper than
parsing them. Nothing here makes a look less true: every file is read anew each time; only a text that
is the same is not parsed again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from labkit.kernel import proc

T = TypeVar("T")
_MOST = 50_000


class Recall:
    """The memory of one XRay."""

    def __init__(self) -> None:
        self._parsed: dict[Hashable, tuple[bytes, Any]] = {}
        self._fdinfo: dict[bytes, proc.FdInfo] = {}
        self._leaders: dict[int, int] = {}
        self.rows: dict[tuple[int, int], Any] = {}
        """(pid, fd) -> the row of the last look, and what it was made of."""
        self.described: dict[tuple[int, int], Any] = {}
        """(pid, fd) -> the Descriptor of the last look, and what it was made of."""
        self.mounts: dict[int, bytes] = {}
        """Mount number of pipefs and sockfs -> how their links begin: `pipe:[`, `socket:[`."""
        self.asleep: dict[int, Any] = {}
        """tid -> what it was asleep in, and since when."""
        self.descriptions: Any = None
        """Of `descriptions.py`: how open file descriptions were ordered and numbered."""
        self.scan: Any = None
        """Of `outside.py`: what processes outside the picture held, and when."""

        self.maps: dict[int, tuple[Any, Any]] = {}
        """pid -> what tells that it has slept, and its mappings then."""
        self.kept: dict[Hashable, Any] = {}
        """Names that an object had before it lost them, and other things that can't be read twice."""

    def parsed(self, key: Hashable, text: bytes, parse: Callable[[bytes], T]) -> T:
        """`parse(text)`, or what it gave last time when the text is the same."""
        known = self._parsed.get(key)
        if known is not None and known[0] == text:
            value: T = known[1]
            return value
        value = parse(text)
        self._parsed[key] = text, value
        return value

    def fdinfo(self, text: bytes) -> proc.FdInfo:
        """`parse_fdinfo(text)`: many descriptors say the very same."""
        info = self._fdinfo.get(text)
        if info is None:
            info = self._fdinfo[text] = proc.parse_fdinfo(text)
        return info

    def leader(self, pid: int) -> int:
        """The process that a thread's number belongs to: itself, for a process."""
        leader = self._leaders.get(pid)
        if leader is None:
            leader = proc.read_leader(pid)
            self._leaders[pid] = leader
        return leader

    def tidy(self, pids: set[int], tids: set[int]) -> None:
        """Forget what belongs to the dead, before it gets much."""
        if len(self._parsed) + len(self.rows) + len(self._fdinfo) + len(self.asleep) < _MOST:
            return
        self._parsed.clear()
        self._fdinfo.clear()
        for table in (self.rows, self.described):
            for key in [key for key in table if key[0] not in pids]:
                del table[key]
        for tid in [tid for tid in self.asleep if tid not in tids]:
            del self.asleep[tid]
