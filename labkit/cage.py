"""Where an answer's processes live while it is judged: started, seen and ended from outside.

One owner, the judge, which must be their ancestor and subreaper. Everything learnt here comes from the
Linux kernel: pids from SCM_CREDENTIALS, ends from pidfds, exit statuses from the process table.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from labkit.errors import LabError, Vanished
from labkit.kernel import proc

NURSERY = Path(__file__).with_name("nursery.py")
_CREDENTIALS = struct.Struct("iII")


class Spawned(NamedTuple):
    """A process of the answer that has just begun."""

    pid: int
    pidfd: int
    claims: socket.socket


class Cage:
    """Starts processes of an answer, and takes all of them away again."""

    def __init__(self, wrap: Callable[[list[str]], list[str]] | None = None) -> None:
        self._wrap = wrap or list
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.nursery_pid = 0

    def spawn(self, job: dict[str, Any], stdio: Sequence[int], given: Sequence[int]) -> Spawned:
        """Start the answer on a job; the descriptors given become its 3, 4, 5…"""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        paper = _memfd(json.dumps(job).encode())
        try:
            self._request([paper, *stdio, theirs.fileno(), *given])
        finally:
            os.close(paper)
            theirs.close()
        pid = _greeted(ours)
        pidfd = os.pidfd_open(pid)
        ours.send(b"go")
        return Spawned(pid, pidfd, ours)

    def _request(self, fds: list[int]) -> None:
        for attempt in (1, 2):
            try:
                socket.send_fds(self._ready(), [b"start"], fds)
                return
            except (BrokenPipeError, ConnectionResetError):
                self.close()  # an answer has ended its own nursery
                if attempt == 2:
                    raise

    def _ready(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            fd = theirs.fileno()
            self._nursery = subprocess.Popen(
                self._wrap([sys.executable, "-I", str(NURSERY), str(fd)]),
                stdin=subprocess.DEVNULL,
                pass_fds=[fd],
                start_new_session=True,
            )
            theirs.close()
            self.nursery_pid = _greeted(ours)
            self._control = ours
        return self._control

    def processes(self) -> list[int]:
        """The pids of everything of the answer's that is alive now."""
        return [pid for pid in _descendants(os.getpid()) if pid not in self._ours() and _alive(pid)]

    def _ours(self) -> set[int]:
        return {self.nursery_pid, self._nursery.pid if self._nursery else 0}

    def kill(self) -> None:
        """End every process of the answer."""
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        """Take leave of orphans that became our children."""
        for pid in _children(os.getpid()):
            if self._nursery is None or pid != self._nursery.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def close(self) -> None:
        """End everything, the nursery too."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._nursery is not None:
            self._nursery.kill()
            self._nursery.wait()
            self._nursery = None
        self.kill()
        self._reap()


def exit_status(pid: int) -> int | None:
    """How an ended process ended, as in `Process.exit`; None when the kernel no longer knows."""
    try:
        code = proc.read_stat(pid).exit_code
    except (Vanished, PermissionError):
        return None
    return None if code is None else os.waitstatus_to_exitcode(code)


def _greeted(ours: socket.socket) -> int:
    """The pid of who says hello, as the Linux kernel knows it."""
    ours.settimeout(20)
    try:
        _, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(_CREDENTIALS.size))
    except TimeoutError:
        raise LabError("A process of the answer could not be started within 20 seconds.") from None
    if not ancillary:
        raise LabError("A process of the answer could not be started.")
    ours.settimeout(None)
    return sender(ancillary)


def sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The pid in a message's credentials."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


def _memfd(data: bytes) -> int:
    fd = os.memfd_create("job")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(Vanished, PermissionError):
        for tid in proc.numbers_in(b"/proc/%d/task" % pid):
            with contextlib.suppress(Vanished):
                found += proc.parse_children(proc.read(b"/proc/%d/task/%d/children" % (pid, tid)))
    return found


def _alive(pid: int) -> bool:
    try:
        return proc.read_stat(pid).state not in "ZX"
    except Vanished:
        return False
