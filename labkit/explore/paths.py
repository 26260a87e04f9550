"""Who looks at a path while another changes what it leads to.

Libraries look at paths all the time (a loader, a shell along PATH, Python for its modules), so a look is no
point by itself: it would be a choice that changes nothing. But "if it is not there, make it" is a race, and
there the look must be one. So each look is noted, and each call that makes, removes or changes something by
that path; when two have met, of whom each might have been the first, looks are points.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from labkit.conductor.quiet import is_library, signed32
from labkit.conductor.tasks import Made, Task
from labkit.kernel.peek import content, string

_AT_FDCWD = -100
_AF_UNIX = 1
_BY_FD = frozenset({"write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "sendfile"})
_BY_PATH = frozenset(
    [
        *("unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
        *("mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "truncate", "creat", "bind"),
    ]
)
_FLAGS = {"open": 1, "openat": 2}
_SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/opt/", "/proc/", "/sys/", "/dev/pts/", "/dev/tty")


class Paths:
    """Of one run: who has looked where, and who has changed what."""

    def __init__(self) -> None:
        self._looked: dict[str, set[tuple[int, ...]]] = {}
        self._changed: dict[str, set[tuple[int, ...]]] = {}
        self.met = False
        """Somebody looked at what another changed."""

    def look(self, task: Task, call: Made) -> bool:
        """Note a look. False: nobody changes what it is at."""
        paths = [path for path in _named(task, call) if not _is_systems(path)]
        for path in paths:
            self._note(task, path, self._looked, self._changed)
        return bool(paths)

    def change(self, task: Task, call: Made) -> None:
        """Note a call that may change what a look would find."""
        if call.name in _BY_FD:
            found = _behind(task, signed32(call.args[0]))
        elif call.name in _BY_PATH or call.args[_FLAGS[call.name]] & (os.O_CREAT | os.O_TRUNC):
            found = _named(task, call)
        else:
            return
        for path in found:
            self._note(task, path, self._changed, self._looked)

    def _note(
        self,
        task: Task,
        path: str,
        mine: dict[str, set[tuple[int, ...]]],
        others: dict[str, set[tuple[int, ...]]],
    ) -> None:
        mine.setdefault(path, set()).add(task.key)
        self.met = self.met or bool(others.get(path, set()) - {task.key})


CHANGES = _BY_FD | _BY_PATH | _FLAGS.keys()
"""Calls that may change what a path leads to."""


def _is_systems(path: str) -> bool:
    return path.startswith(_SYSTEM) or is_library(path)


def _named(task: Task, call: Made) -> Iterator[str]:
    """The paths that a call names, whole. (An empty one means a descriptor: no look at a path.)"""
    pid, words = task.process.pid, call.spec.args
    if call.name == "bind":
        yield from _bound(task, call)
    for index, word in enumerate(words):
        name = string(pid, call.args[index]) if word == "path" else ""
        if name:
            fd = signed32(call.args[index - 1]) if index and words[index - 1] == "dirfd" else _AT_FDCWD
            yield _whole(pid, fd, name)


def _bound(task: Task, call: Made) -> Iterator[str]:
    address = content(task.process.pid, call.args[1], min(call.args[2], 110))
    name = os.fsdecode(address[2:].split(b"\0", 1)[0])
    if int.from_bytes(address[:2], "little") == _AF_UNIX and name:
        yield _whole(task.process.pid, _AT_FDCWD, name)


def _whole(pid: int, fd: int, name: str) -> str:
    """A path from the root, with every link on the way to its last part followed."""
    if not name.startswith("/"):
        try:
            name = os.path.join(os.readlink(f"/proc/{pid}/{'cwd' if fd == _AT_FDCWD else f'fd/{fd}'}"), name)
        except OSError:
            return name
    folder, last = os.path.split(name.rstrip("/") or "/")
    return os.path.join(os.path.realpath(folder), last)


def _behind(task: Task, fd: int) -> Iterator[str]:
    """The path of the file that a descriptor is open on."""
    place = f"/proc/{task.process.pid}/fd/{fd}"
    try:
        if stat.S_ISREG(os.stat(place).st_mode):
            yield os.readlink(place)
    except OSError:
        return
