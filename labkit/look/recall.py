"""What one XRay remembers from look to look: names, numbers, times, and texts parsed already.

Most of what /proc says does not change between two looks, and comparing bytes is far cheaper than
parsing them. Nothing here makes a look less true: every file is read anew each time; only a text that
is the same is not parsed again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from labkit.kernel import proc
from labkit.kernel.procfiles import Files

T = TypeVar("T")
_MOST = 50_000


class Recall:
    """The memory of one XRay."""

    def __init__(self, single: bool = False) -> None:
        self.single = single
        """It serves single pictures, each of which starts counting anew, asks about everybody outside
        the picture, and finds out how long everybody has been asleep already. No file is kept open."""
        self.files = Files(0) if single else Files()
        self._parsed: dict[Hashable, tuple[bytes, Any]] = {}
        self._fdinfo: dict[bytes, proc.FdInfo] = {}
        self._leaders: set[int] = set()
        self._pids: set[int] = set()
        self.schedules: dict[int, bytes] = {}
        """pid -> its counter of runs in the last look, where it has one thread only."""
        self.maps: dict[int, list[proc.Map]] = {}
        self.tables: dict[int, list[int]] = {}
        """pid -> the numbers of its descriptors."""
        self.commands: dict[int, str] = {}
        self.rows: dict[tuple[int, int], Any] = {}
        """(pid, fd) -> the row of the last look, and what it was made of."""
        self.described: dict[tuple[int, int], Any] = {}
        """(pid, fd) -> the Descriptor of the last look, and what it was made of."""
        self.tables_of: Any = None
        self.tables_described: dict[int, Any] = {}
        """All tables of the last look as its Scene had them, and what they were made of."""
        self.idle: dict[str, list[Any]] = {}
        """Pipes without a name that nobody outside holds -> the rows of their holders."""
        self.mounts: dict[int, bytes] = {}
        """Mount number of pipefs and sockfs -> how their links begin: `pipe:[`, `socket:[`."""
        self.asleep: dict[int, Any] = {}
        """tid -> what it was asleep in, and since when."""
        self.descriptions: Any = None
        """Of `descriptions.py`: how open file descriptions were ordered and numbered."""
        self.scan: Any = None
        """Of `outside.py`: what processes outside the picture held, and when."""
        self.kept: dict[Hashable, Any] = {}
        """Names that an object had before it lost them, and other things that can't be read twice."""

    def still(self, pid: int, schedule: bytes, asleep: bool) -> bool:
        """Has this process of one thread slept ever since the last look?

        Then it can have opened, closed and mapped nothing. (The text counts nanoseconds on a processor:
        it grows also when the last look saw it running.)
        """
        same = asleep and self.schedules.get(pid) == schedule
        self.schedules[pid] = schedule
        if not same:
            self.maps.pop(pid, None)
            self.tables.pop(pid, None)
            self.commands.pop(pid, None)
        return same

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
        if pid in self._leaders:
            return pid
        leader = proc.read_leader(pid)
        if leader == pid:
            self._leaders.add(pid)
        return leader

    def tidy(self, pids: set[int], tids: set[int]) -> None:
        """Forget what belongs to the dead, before it gets much."""
        if pids != self._pids:
            self._pids = pids
            self.files.keep_only({b"/proc/%d/" % pid for pid in pids})
            self._leaders &= pids
        if len(self._parsed) + len(self.rows) + len(self._fdinfo) + len(self.asleep) < _MOST:
            return
        self._parsed.clear()
        self._fdinfo.clear()
        for rows in (self.rows, self.described):
            for key in [key for key in rows if key[0] not in pids]:
                del rows[key]
        for pid in self.schedules.keys() - pids:
            del self.schedules[pid]
            self.maps.pop(pid, None)
            self.tables.pop(pid, None)
            self.commands.pop(pid, None)
        for tid in [tid for tid in self.asleep if tid not in tids]:
            del self.asleep[tid]
