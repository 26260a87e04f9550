"""Which processes belong to which program; and how to end them all.

Some facts:

- A process that is stopped cannot fork. SIGSTOP cannot be caught, so a family that is stopped one by
  one until a look finds nobody new stands still, and can then be killed without a race.
- The fifth word of /proc/loadavg is the last pid given out: while it stays the same, nobody is new.
- Orphans of our programs come to us (PR_SET_CHILD_SUBREAPER), and we reap them.
"""

from __future__ import annotations

import contextlib
import os
import signal

from labkit.errors import LabError
from labkit.kernel import proc
from labkit.owner import marks
from labkit.owner.limits import MOST_PROCESSES

_PIDS = 1 << 22
"""More pids than this there cannot be."""


class Family:
    """Every living process that bears a mark of this notebook."""

    def __init__(self, notebook: int) -> None:
        self.notebook = notebook
        self.members: dict[int, int] = {}
        """pid -> mark"""
        self.ever: set[int] = set()
        """Pids that were ever seen."""
        self._strangers: set[int] = set()
        self._last_pid = b""

    def look(self, always: bool = False) -> None:
        """Find members that are new and drop those that are gone."""
        last = _last_pid()
        if last == self._last_pid and not always:
            self._drop_gone()
            return
        self._last_pid = last
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

    def freeze(self, mark: int | None = None) -> set[int]:
        """Stop every process of a program, or of all, so that they stand still and nobody is new."""
        stopped: set[int] = set()
        while True:
            self._stop_groups(mark)
            self.look(always=True)
            new = [pid for pid in self.of(mark) if pid not in stopped]
            if not new:
                return stopped
            for pid in new:
                send(pid, signal.SIGSTOP)
            stopped.update(new)

    def _stop_groups(self, mark: int | None) -> None:
        """Stop whole process groups, each with one call that no fork can slip through."""
        groups = {group for pid in self.of(mark) if (group := _group(pid)) is not None}
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGSTOP)

    def bursts(self) -> bool:
        """True when more processes came into being since the last look than any program may have."""
        now, before = int(_last_pid()), int(self._last_pid or 0)
        return bool(self._last_pid) and (now - before) % _PIDS > MOST_PROCESSES

    def kill(self, mark: int | None = None) -> None:
        """End every process of a program, or of all, for certain."""
        for pid in self.freeze(mark):
            send(pid, signal.SIGKILL)

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


def _last_pid() -> bytes:
    with open("/proc/loadavg", "rb") as file:
        return file.read().rpartition(b" ")[2]
