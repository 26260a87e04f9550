"""What a test left behind on the machine: processes, zombies, IPC objects, FIFOs and sockets.

Some facts about finding out:

- As a subreaper, pytest is the parent of every orphan below it, also of daemons with sessions of their
  own: a walk over /proc from pytest finds them all.
- System V objects and `/dev/shm` belong to the whole machine. So a difference is taken, and only what
  this user owns and no process outside of pytest holds is called ours.
- POSIX queues can be listed only in an mqueue filesystem. Root can have one without mounting it
  anywhere (fsopen, fsmount); an ordinary user needs /dev/mqueue. Without either, they are not counted.

What follows for us: `Before()` takes the state, `.left_behind()` waits until processes that are about
to end have ended, and says in words what is still there.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.kernel import syscalls

PATIENCE_S = 5.0
"""How long a process that has been told to end may take, on a busy machine, before it counts."""

_SYSV = {"shm": ("shmid", "shared memory segment"), "sem": ("semid", "semaphore set")}
_SYSV |= {"msg": ("msqid", "message queue")}


class Before:
    """The machine before a test."""

    def __init__(self) -> None:
        self._processes = _descendants()
        self._objects = _objects()

    def left_behind(self) -> list[str]:
        """A line for each thing that is there now and was not; processes are ended, zombies reaped."""
        living = self._wait_gone()
        left = [f"process {_describe(pid)}" for pid, _ in living]
        for pid, _ in living:
            os.kill(pid, signal.SIGKILL)
        left += [f"zombie {pid}, a child that nobody waited for" for pid in _reap(self._processes)]
        new = [item for item in _objects().items() if item[0] not in self._objects]
        return left + [text for key, text in new if not _is_a_strangers(key)]

    def _wait_gone(self) -> list[tuple[int, int]]:
        """New processes that still run, after a while.

        A walk may miss who is born meanwhile to one that ends: nobody is left when two walks say so.
        """
        deadline, before = time.monotonic() + PATIENCE_S, None
        while True:
            new = _descendants() - self._processes
            living = [p for p in new if _state(p[0]) not in "ZX"]
            if (new == before and not living) or time.monotonic() > deadline:
                return living
            before = new
            if living:
                _wait_one(living[0][0], deadline)


# --- processes --------------------------------------------------------------------------------------


def below(pid: int) -> set[tuple[int, int]]:
    """(pid, start time) of all processes below this one."""
    children: dict[int, list[tuple[int, int]]] = {}
    for one in map(int, filter(str.isdigit, os.listdir("/proc"))):
        fields = _stat(one)
        if fields:
            children.setdefault(int(fields[1]), []).append((one, int(fields[19])))
    found: set[tuple[int, int]] = set()
    todo = [pid]
    while todo:
        nearest = children.get(todo.pop(), [])
        found.update(nearest)
        todo += [child for child, _ in nearest]
    return found


def _descendants() -> set[tuple[int, int]]:
    return below(os.getpid())


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _state(pid: int) -> str:
    return (_stat(pid) or ["X"])[0]


def _describe(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        command = ""
    return f"{pid}: {command.strip() or 'without a command line'}"


def _wait_one(pid: int, deadline: float) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
    finally:
        os.close(fd)


def _reap(known: set[tuple[int, int]]) -> list[int]:
    """Reap all new zombies; those of this session were our own to wait for, others are adopted orphans."""
    ours = []
    for pid, start in _descendants():
        fields = _stat(pid)
        if fields and fields[0] == "Z" and int(fields[1]) == os.getpid() and (pid, start) not in known:
            os.waitpid(pid, 0)
            if int(fields[3]) == os.getsid(0):
                ours.append(pid)
    return ours


# --- objects ----------------------------------------------------------------------------------------


def _objects() -> dict[tuple[str, object], str]:
    """What this user owns of IPC objects, and of labkit's files: a key that compares -> words."""
    found: dict[tuple[str, object], str] = {}
    for kind in _SYSV:
        found |= _sysv(kind)
    found |= _files("/dev/shm", lambda name, mode: True)
    found |= _files(tempfile.gettempdir(), _is_ours)
    if _queues is not None:
        found |= {("mq", name): f"POSIX queue /{name}" for name in os.listdir(_queues)}
    return found


def _sysv(kind: str) -> dict[tuple[str, object], str]:
    try:
        head, *rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    column, words = _SYSV[kind]
    for row in rows:
        fields = dict(zip(head.split(), row.split(), strict=True))
        if int(fields["cuid"]) == os.geteuid():
            found[kind, (fields[column], fields.get("cpid"))] = f"System V {words} {fields[column]}"
    return found


def _files(folder: str, wanted: Callable[[str, int], bool]) -> dict[tuple[str, object], str]:
    found: dict[tuple[str, object], str] = {}
    for entry in os.scandir(folder):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if status.st_uid == os.geteuid() and wanted(entry.name, status.st_mode):
            found["file", (entry.path, status.st_dev, status.st_ino)] = entry.path
    return found


def _is_ours(name: str, mode: int) -> bool:
    """In the folder for temporary files, which conftest.py makes our own: all but pytest's."""
    return not name.startswith("pytest-of-")


def _is_a_strangers(key: tuple[str, object]) -> bool:
    """True when a process outside of this pytest made the object, or holds it."""
    kind, identity = key
    mine = {os.getpid(), *(pid for pid, _ in _descendants())}
    if kind == "shm":
        creator = int(identity[1])  # type: ignore[index]
        return creator not in mine and os.path.exists(f"/proc/{creator}")
    if kind == "file":
        path = str(identity[0])  # type: ignore[index]
        others = (pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in mine)
        return any(_holds(pid, path) for pid in others)
    return False


def _holds(pid: int, path: str) -> bool:
    try:
        if path in Path(f"/proc/{pid}/maps").read_text(errors="replace"):
            return True
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") == path for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it has gone, or is another user's: then it cannot hold what is ours alone
        return False


def _open_queues() -> int | None:
    """A descriptor of a folder that lists the POSIX queues of this IPC namespace, or None."""
    if os.path.ismount("/dev/mqueue"):
        return os.open("/dev/mqueue", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fsopen, fsconfig, fsmount, cloexec, create = 430, 431, 432, 1, 6  # the same on all architectures
    syscall = ctypes.CDLL(None).syscall
    context = syscall(fsopen, b"mqueue", cloexec)
    if context < 0:
        return None
    try:
        made = syscall(fsconfig, context, create, None, None, 0) == 0
        mount = syscall(fsmount, context, cloexec, 0) if made else -1
    finally:
        os.close(context)
    if mount < 0:
        return None
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)


_queues = _open_queues()
CAN_LIST_QUEUES = _queues is not None


# --- for pytest -------------------------------------------------------------------------------------


def pytest_configure() -> None:
    syscalls.become_subreaper()


def pytest_report_header() -> str:
    return "left behind: " + (
        "all is seen" if CAN_LIST_QUEUES else "all but POSIX queues is seen (no /dev/mqueue)"
    )


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails the test that leaves a process, a zombie, an IPC object, a FIFO or a socket."""
    before = Before()
    yield
    if left := before.left_behind():
        pytest.fail("This test left behind:\n  " + "\n  ".join(left), pytrace=False)
