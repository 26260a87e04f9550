"""A second pair of eyes of the judge's, inside the answer's IPC namespace.

System V calls speak of the IPC namespace of whoever asks, and to enter another one takes being root in the
user namespace that *owns* it (NS_GET_USERNS, ioctl_ns(2)), which only a process with a single thread may
join (setns(2)). So the judge forks a witness that goes there and stays, outside the answer's PID
namespace: the answer cannot so much as name it. It looks and tells, and ends with the judge.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
from typing import Any

from labkit.errors import LabError
from labkit.kernel import remains, syscalls
from labkit.scene import Scene

_NS_GET_USERNS = 0xB701
_LENGTH = struct.Struct("=Q")


class Witness:
    """Answers questions from the IPC namespace of a process. One owner: the cage."""

    def __init__(self, pid: int) -> None:
        self._socket, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            _testify(theirs, pid)
        theirs.close()
        _send(self._socket, "hello")
        problem = _receive(self._socket)
        if problem != "":
            self.close()
            raise LabError(f"The answer's IPC namespace cannot be entered: {problem}")

    def scene(self, pids: list[int], names: dict[int, str]) -> Scene:
        """An X-ray of these processes and their descendants."""
        return Scene.from_dict(self._ask(["scene", pids, list(names.items())]))

    def system_v(self) -> dict[str, str]:
        """Every System V object there: an identity that compares -> what it is, in words."""
        return dict(self._ask(["system_v"]))

    def segments_bytes(self) -> int:
        """The memory that System V segments take there."""
        return int(self._ask(["segments_bytes"]))

    def _ask(self, question: list[Any]) -> Any:
        _send(self._socket, question)
        answer = _receive(self._socket) or {"problem": "it has gone"}
        if "problem" in answer:
            raise LabError(f"The witness of an answer failed: {answer['problem']}")
        return answer["said"]

    def close(self) -> None:
        self._socket.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _testify(theirs: socket.socket, pid: int) -> None:
    """Become the witness. Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        control = _alone_with(theirs)
        _send(control, _enter(pid)) if _receive(control) else None
        while question := _receive(control):
            _send(control, _answer(*question))
    finally:
        os._exit(1)


def _answer(word: str, *arguments: Any) -> Any:
    """What was asked for, or why it cannot be said: the judge must hear of it either way."""
    try:
        return {"said": _ANSWERS[word](*arguments)}
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {error}"}


def _alone_with(kept: socket.socket) -> socket.socket:
    """Close everything else: an end of a pipe held here would keep the pipe open."""
    os.dup2(kept.detach(), 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    return socket.socket(fileno=3)


def _enter(pid: int) -> str:
    """Join the IPC namespace of a process, through the user namespace that owns it; says what went wrong."""
    try:
        ipc = os.open(f"/proc/{pid}/ns/ipc", os.O_RDONLY)
        if os.fstat(ipc).st_ino == os.stat("/proc/self/ns/ipc").st_ino:
            return ""
        owner = fcntl.ioctl(ipc, _NS_GET_USERNS)
        if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:
            _setns(owner)
        _setns(ipc)
    except OSError as error:
        return str(error)
    return ""


def _setns(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "setns")


def scene_of(pids: list[int], names: Any) -> dict[str, Any]:
    """An X-ray as plain data."""
    from labkit.xray import XRay

    return XRay(dict(names)).look(*pids).to_dict()


def system_v() -> list[tuple[str, str]]:
    """System V objects in words that are the same in every run: without ids and keys."""
    kinds = {"sysv-shm": "shared memory segment", "sysv-sem": "semaphore set", "sysv-msg": "message queue"}
    found = []
    for owned in remains.system_v():
        thing = owned.thing
        identity = f"{thing.kind} {thing.name} {thing.identity}"
        found.append((identity, f"a System V {kinds[thing.kind]}"))
    return found


def segments_bytes() -> int:
    """The sum of what is in memory, from /proc/sysvipc/shm."""
    with open("/proc/sysvipc/shm", encoding="ascii") as file:
        names, *lines = (line.split() for line in file)
    return sum(int(line[names.index("rss")]) for line in lines)


_ANSWERS: dict[str, Any] = {"scene": scene_of, "system_v": system_v, "segments_bytes": segments_bytes}


def _send(to: socket.socket, message: Any) -> None:
    data = json.dumps(message).encode()
    to.sendall(_LENGTH.pack(len(data)) + data)


def _receive(source: socket.socket) -> Any:
    """The next message; None when the other side is gone."""
    with source.makefile("rb", buffering=0) as file:
        head = _exactly(file, _LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        return json.loads(_exactly(file, _LENGTH.unpack(head)[0]))


def _exactly(file: Any, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := file.read(count - len(data))):
        data += piece
    return bytes(data)
