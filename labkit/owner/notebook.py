"""The notebook's own process in a picture of its programs, less what Jupyter needs for itself.

`os.pipe()` in a plain cell is worth seeing; the seventy descriptors of ipykernel are not, and are not
even looked into. Plumbing is whatever was open when labkit was loaded, and of what came later the
sockets that `plumbing.py` knows, epoll and eventfd descriptors, and devices.

A still is drawn by `dot`, which the notebook talks to through pipes of its own, for some hundredths of a
second. In a stream of pictures they would flash up, and push everything else down; so there, what was
opened a moment ago is not shown yet.
"""

from __future__ import annotations

import dataclasses
import os
import time

from labkit.errors import LabError
from labkit.kernel import proc
from labkit.look import Held
from labkit.owner.plumbing import Plumbing
from labkit.scene import Process, Scene

NAME = "notebook"
_YOUNG_S = 1.0
"""So long a new descriptor is not shown in a stream of pictures."""
_SHARED = ("sysv-shm", "posix-shm", "memfd", "posix-sem")


class Notebook:
    """The process with this pid, and what of it is plumbing."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._before = {(fd, self._link(fd)) for fd in self._numbers()}
        self._files = tuple(link for _, link in self._before if link.startswith(b"/"))
        self._folders = {os.path.dirname(file) for file in self._files}
        self._plumbing = Plumbing(pid, (link for _, link in self._before))
        self._used = {fd for fd, _ in self._before}
        self._judged: tuple[list[tuple[int, bytes]], set[tuple[int, bytes]]] = ([], set())
        """What was open when it was last found out whether that is worth showing, and what of it was new."""
        self._worth = False
        self._since: dict[tuple[int, bytes], float] = {}
        """When what came after labkit was first seen."""
        self._young: set[tuple[int, bytes]] = set()
        """Of these, those that a stream does not show yet; nothing in a single picture."""

    def is_plumbing(self, held: Held) -> bool:
        """True for a descriptor that is none of the learner's."""
        if held.pid != self.pid:
            return False
        return self._is_plumbing(held.fd, held.link)

    def worth_showing(self, patient: bool = False) -> bool:
        """True when a plain cell has opened something. `patient`: not just now, and so in the next look."""
        numbers = self._numbers()
        listed = [(fd, b"" if fd in self._used else self._link(fd)) for fd in numbers]
        now = time.monotonic()
        self._since = {new: self._since.get(new, now) for new in listed if new[1]}
        self._young = {new for new, since in self._since.items() if patient and now < since + _YOUNG_S}
        if (listed, self._young) != self._judged:
            self._judged = listed, self._young
            self._worth = any(not self._is_plumbing(fd, self._link(fd)) for fd in numbers)
        return self._worth

    def without_plumbing(self, scene: Scene) -> Scene:
        """The scene with this process reduced to what a learner did in it."""
        reduced = [self._reduced(p, scene) if p.pid == self.pid else p for p in scene.processes]
        processes = tuple(p for p in reduced if p.pid != self.pid or p.descriptors or p.mappings)
        deadlocks = tuple(d for d in scene.deadlocks if self.pid not in d.processes)
        waits = tuple(w for w in scene.waits if w.pid != self.pid)
        return dataclasses.replace(scene, processes=processes, deadlocks=deadlocks, waits=waits)

    def _reduced(self, process: Process, scene: Scene) -> Process:
        def shared(id: str) -> bool:
            found = scene.object(id)
            return found is not None and found.kind in _SHARED

        mappings = process.mappings and tuple(m for m in process.mappings if shared(m.object))
        threads = tuple(dataclasses.replace(t, blocked=None) for t in process.threads if t.tid == self.pid)
        return dataclasses.replace(process, threads=threads, blocked=None, signals=None, mappings=mappings)

    def _is_plumbing(self, fd: int, link: bytes) -> bool:
        if (fd, link) in self._young:
            return True
        if (fd, link) in self._before or link.startswith((b"anon_inode:", b"/proc/")):
            return True
        if link.startswith(self._files) or link in self._folders:
            return True  # a database that was open before: its journal, and the folder while it syncs
        if link.startswith(b"/dev/") and not link.startswith(b"/dev/shm/"):
            return True
        return link.startswith(b"socket:[") and self._plumbing.has(fd, link)

    def _numbers(self) -> list[int]:
        try:
            return proc.numbers_in(b"/proc/%d/fd" % self.pid)
        except (LabError, OSError):
            return []

    def _link(self, fd: int) -> bytes:
        try:
            return os.readlink(b"/proc/%d/fd/%d" % (self.pid, fd))
        except OSError:
            return b"/dev/gone"
