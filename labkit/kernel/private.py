"""An IPC namespace and a /dev/shm of one's own, for a process that runs programs beside others of its kind.

Some facts about namespaces (unshare(2), ipc_namespaces(7), user_namespaces(7), mount_namespaces(7)):

- With CLONE_NEWIPC a process leaves all System V objects and POSIX queues behind: those it and its
  descendants make from now on are theirs alone, and end with the last of them.
- That takes CAP_SYS_ADMIN, or CLONE_NEWUSER in the same call, which some systems forbid. In a new user
  namespace ids mean nothing until `uid_map` and `gid_map` are written, the latter after `setgroups`.
- POSIX shared memory and named semaphores are files in /dev/shm: a tmpfs mounted over it, in a mount
  namespace of one's own, hides those of others.
- The PID namespace stays as it is, and with it /proc, ptrace and waiting.

What follows for us: two explorations of one program, which meets itself by a key or a name, can go at the
same time. Whether the machine allows it is tried in a child.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from labkit.kernel.syscalls import CLONE_NEWUSER, unshare

_NEWNS, _NEWIPC = 0x00020000, 0x08000000
_REC, _PRIVATE = 0x4000, 0x40000
SHM: Final = "/dev/shm"

_mount = ctypes.CDLL(None, use_errno=True).mount
_mount.argtypes = (*(ctypes.c_char_p,) * 3, ctypes.c_ulong, ctypes.c_char_p)


def separate() -> None:
    """Leave the IPC objects of others behind; OSError where that is refused."""
    try:
        unshare(_NEWIPC | _NEWNS)
    except PermissionError:
        _as_own_root()
    _mounted(b"none", b"/", None, _REC | _PRIVATE, None)
    _mounted(b"shm", SHM.encode(), b"tmpfs", 0, b"mode=1777")


def can_be_separate() -> bool:
    """True: `separate` works here, as a child of ours has tried."""
    pid = os.fork()
    if pid == 0:
        try:
            separate()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _as_own_root() -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | _NEWIPC | _NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _mounted(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None) -> None:
    if _mount(source, target, kind, flags, data) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(target))
