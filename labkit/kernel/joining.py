"""Joining the namespaces of another process.

Some facts about setns(2) and namespaces(7):

- Every namespace belongs to a user namespace, and joining it takes CAP_SYS_ADMIN there. Whoever made a
  user namespace has all capabilities in it, from outside, without privilege.
- A process may stand in a user namespace *below* the one that owns its other namespaces: sandboxes
  nest two. The ioctl NS_GET_USERNS on a namespace's file gives its real owner.
- After joining a user namespace a process has all capabilities in it, until it execs as another uid
  than 0. To join one it must have a single thread, and it must not be its own already (EINVAL).
- Joining a PID namespace changes nothing for the process itself: its next child is born there.
- Joining a mount namespace moves the root and the working folder to the ones there.

What follows for us: user namespace first, found through the IPC namespace; the rest; then fork.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os

_NS_GET_USERNS = 0xB701
_ORDER = ("ipc", "pid", "mnt")

_setns = ctypes.CDLL(None, use_errno=True).setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


def join(pid: int) -> None:
    """Go into the user, IPC, PID and mount namespaces that `pid` lives in; raise OSError if refused."""
    files = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _ORDER]
    owner = fcntl.ioctl(files[0], _NS_GET_USERNS)
    try:
        if not os.path.samestat(os.fstat(owner), os.stat("/proc/self/ns/user")):
            _enter(owner)
        for file in files:
            _enter(file)
    finally:
        for file in (owner, *files):
            os.close(file)


def _enter(namespace: int) -> None:
    if _setns(namespace, 0) != 0:
        code = ctypes.get_errno()
        what = "setns: more than one thread" if code == errno.EINVAL else "setns"
        raise OSError(code, os.strerror(code), what)
