"""The network and IPC namespaces that processes live in.

Some facts about them (namespaces(7), setns(2)):

- `/proc/PID/ns/ipc` is a link whose text, `ipc:[4026531839]`, names the namespace; to read it takes the
  right to ptrace. The initial IPC namespace has always had the number 0xEFFFFFFF (PROC_IPC_INIT_INO).
- System V calls and `/proc/sysvipc` speak of the namespace of the *thread* that asks, whatever process
  is being looked at. A netlink socket and a mounted `/proc/net` keep the one they were made in.
- One thread of a process may change its own network or IPC namespace. It needs CAP_SYS_ADMIN in its
  own user namespace *and* in the one that owns the target, so: root, or whoever is root in a room.
- To enter somebody's user namespace first, a process must have a single thread: not for us.

What follows for us: to look into another namespace, a thread is made, goes there, looks, and ends. It
is joined at once. Where it may not go there, that is said, with the remedy: look from inside.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from labkit.errors import NotVisible

INITIAL_IPC = b"ipc:[4026531839]"

_T = TypeVar("_T")

_setns = ctypes.CDLL(None, use_errno=True).setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


def identity(pid: int, kind: str) -> bytes | None:
    """The name of a process's namespace, such as `net:[4026531840]`; None when it is not shown."""
    try:
        return os.readlink(b"/proc/%d/ns/%s" % (pid, kind.encode()))
    except OSError:
        return None


def own(kind: str) -> bytes | None:
    """The name of our own namespace of this kind."""
    return identity(os.getpid(), kind)


def call(pid: int, kind: str, look: Callable[[], _T]) -> _T:
    """What `look()` returns in the namespace of that process; NotVisible when we may not go there.

    A namespace that is not shown to us is taken to be our own: nearly always it is.
    """
    theirs = identity(pid, kind)
    if theirs is None or theirs == own(kind):
        return look()
    return _elsewhere(pid, kind, look)


def _elsewhere(pid: int, kind: str, look: Callable[[], _T]) -> _T:
    result: list[_T] = []
    failure: list[BaseException] = []

    def visit() -> None:
        try:
            _enter(pid, kind)
            result.append(look())
        except BaseException as error:  # raised again below, in the thread that asked
            failure.append(error)

    thread = threading.Thread(target=visit, name=f"labkit-{kind}", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _enter(pid: int, kind: str) -> None:
    try:
        namespace = os.open(b"/proc/%d/ns/%s" % (pid, kind.encode()), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _closed(pid, kind, error.strerror) from None
    try:
        if _setns(namespace, 0) < 0:
            raise _closed(pid, kind, os.strerror(ctypes.get_errno()))
    finally:
        os.close(namespace)


def _closed(pid: int, kind: str, why: str | None) -> NotVisible:
    return NotVisible(
        f"process {pid} is in another {_WORDS.get(kind, kind)} namespace, and entering that is refused "
        f"({why}): look from inside it, or as root"
    )


_WORDS = {"net": "network", "ipc": "IPC"}
