"""Which processes belong to which program; and how to end them all.

Some facts:

- A process that is stopped cannot fork, and SIGSTOP cannot be caught. But whoever is in the middle of a
  fork finishes it first, and the child may show up after a look. It begins stopped if the signal went to
  their whole process group; SIGCONT to the group undoes that, too. After SIGKILL a fork is given up.
- The fifth word of /proc/loadavg is the last pid given out: while it stays the same, nobody is new. But
  pids are given out in a circle, and when a bomb has taken all there are, the last one is the one before
  the first. The fourth word tells how many tasks the machine has.
- Orphans of our programs come to us (PR_SET_CHILD_SUBREAPER), and we reap them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NamedTuple

from labkit.errors import LabError
from labkit.kernel import proc
from labkit.owner import marks
from labkit.owner.limits import MOST_PROCESSES

_SWARM = 8
_MANY = 100
_PIDS = 1 << 22
"""More pids than this there cannot be."""


class Last(NamedTuple):
    """The last pid that was given out, and how many tasks there were then."""

    pid: int
    tasks: int

    def born_since(self, before: Last) -> int:
        """So many came into being, at the most; 0 when nobody did."""
        all_around = self.pid == before.pid and self.tasks - before.tasks > _MANY
        return self.tasks - before.tasks if all_around else (self.pid - before.pid) % _PIDS

    def fewest(self, now: Last) -> Last:
        """The same, but with as few tasks as there were since."""
        return self._replace(tasks=min(self.tasks, now.tasks))


class Family:
    """Every living process that bears a mark of this notebook."""

    def __init__(self, notebook: int) -> None:
        self.notebook = notebook
        self.members: dict[int, int] = {}
        """pid -> mark"""
        self.ever: set[int] = set()
        """Pids that were ever seen."""
        self._strangers: set[int] = set()
        self._last = Last(0, 0)
        self._at_tick = 0
        self._swarmed = False

    def begin(self, pid: int, mark: int) -> None:
        """A program begins with this process."""
        self.add(pid, mark)
        self._last = self._last.fewest(_last())

    def look(self, always: bool = False) -> None:
        """Find members that are new and drop those that are gone."""
        last = _last()
        if last.born_since(self._last) == 0 and not always:
            self._last = self._last.fewest(last)
            self._drop_gone()
            return
        self._last = last
        there = set(marks.pids())
        self._strangers &= there
        self.members = {pid: mark for pid, mark in self.members.items() if pid in there}
        for pid in there - self._strangers - self.members.keys():
            mark = marks.read(pid)
            if mark is not None and marks.notebook_of(mark) == self.notebook:
                self.add(pid, mark)
            else:
                self._strangers.add(pid)

    def add(self, pid: int, mark: int) -> None:
        """Count `pid` among the members."""
        self._strangers.discard(pid)
        self.members[pid] = mark
        self.ever.add(pid)

    def forget(self, pid: int) -> None:
        """`pid` was reaped; the number may come again."""
        self.members.pop(pid, None)
        self._strangers.discard(pid)

    def of(self, mark: int | None) -> list[int]:
        """The pids of one program, or of all."""
        return [pid for pid, own in self.members.items() if mark in (None, own)]

    def living(self) -> list[int]:
        """Members that have not ended. (A zombie whose parent never asks for it stays one.)"""
        return [pid for pid in self.members if (now := state(pid)) is not None and now.state not in "ZX"]

    def freeze(self, mark: int | None = None) -> set[int]:
        """Stop every process of a program, or of all, so that they stand still. Those that were seen."""
        stopped: set[int] = set()
        while True:
            self._signal_groups(mark, signal.SIGSTOP)
            self.look(always=True)
            new = [pid for pid in self.of(mark) if pid not in stopped]
            if not new:
                return stopped
            for pid in new:
                send(pid, signal.SIGSTOP)
            stopped.update(new)

    def thaw(self, mark: int | None = None) -> None:
        """Let them go on."""
        self._signal_groups(mark, signal.SIGCONT)
        self.look(always=True)
        for pid in self.of(mark):
            send(pid, signal.SIGCONT)

    def _signal_groups(self, mark: int | None, number: int) -> None:
        """Send a signal to whole process groups, each with one call."""
        groups = {group for pid in self.of(mark) if (group := _group(pid)) is not None}
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def bursts(self) -> bool:
        """True when more processes came into being since the last look than any program may have."""
        return bool(self._last.pid) and _last().born_since(self._last) > MOST_PROCESSES

    def tick(self) -> None:
        """Time has passed: from here on it is counted how many more there are."""
        self._swarmed, self._at_tick = self._grew(), len(self.members)

    def swarms(self) -> bool:
        """True when there are many more than a tick ago: nobody's memory is to be looked into then.

        Whoever forks holds its lock, and may wait long for a processor among the many that it has made.
        """
        return self._swarmed or self._grew() or self.bursts()

    def _grew(self) -> bool:
        return len(self.members) - self._at_tick > _SWARM

    def kill(self, mark: int | None = None) -> None:
        """End every process of a program, or of all, for certain: also who shows up meanwhile."""
        killed: set[int] = set()
        while new := self.freeze(mark) - killed:
            for pid in new:
                send(pid, signal.SIGKILL)
            killed |= new

    def _drop_gone(self) -> None:
        for pid in list(self.members):
            if not os.path.exists(f"/proc/{pid}"):
                del self.members[pid]


def send(pid: int, number: int) -> None:
    """Send a signal; a process that is gone, or is somebody else by now, is passed over."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _group(pid: int) -> int | None:
    try:
        group = os.getpgid(pid)
    except ProcessLookupError:
        return None
    return None if group == os.getpgrp() else group


def state(pid: int) -> proc.Stat | None:
    """What /proc/PID/stat says, or None when it is gone."""
    try:
        return proc.read_stat(pid)
    except LabError:
        return None


def _last() -> Last:
    with open("/proc/loadavg", "rb") as file:
        *_, tasks, pid = file.read().replace(b"/", b" ").split()
    return Last(int(pid), int(tasks))
