"""What a file is, without asking who keeps it.

Some facts about stat and statx(2) (Linux 4.11):

- A file may be kept by a server: over a network (NFS), or by another process (FUSE: sshfs, and many more). To
  stat it asks that server, and waits; when the server is dead, for ever, and often SIGKILL ends nothing.
- AT_STATX_DONT_SYNC says: what the Linux kernel knows already will do. Device, number and kind of an open
  file it always knows; the size may be out of date.
- Following /proc/PID/fd/N goes straight to the open file, and asks nobody. To walk a path does.

What follows for us: who looks at a program that hangs on a dead server must not hang, too. Open files are
looked at with statx, and paths are walked only where it is known that they lead to something of ours.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple

AT_FDCWD = -100
AT_STATX_DONT_SYNC = 0x4000
STATX_BASIC_STATS = 0x7FF
_FIELDS = struct.Struct("=16xI8xHxxQQ80xIIII")
"""Links, mode, inode, size; then the device numbers: of a device file, of the filesystem."""


class Status(NamedTuple):
    """The fields of `os.stat_result` that labkit uses, under the same names."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_size: int
    st_rdev: int


AnyStatus = os.stat_result | Status

_libc = ctypes.CDLL(None, use_errno=True)
_statx = getattr(_libc, "statx", None)
if _statx is not None:
    _statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


def status(path: bytes) -> AnyStatus:
    """What `os.stat(path)` says, as far as that is known without asking a server; OSError when it is gone."""
    if _statx is None:
        return os.stat(path)
    buffer = ctypes.create_string_buffer(256)
    if _statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, buffer) < 0:
        return os.stat(path)  # raises, or works where an old filter does not know statx
    links, mode, inode, size, *devices = _FIELDS.unpack_from(buffer)
    return Status(mode, inode, os.makedev(*devices[2:]), links, size, os.makedev(*devices[:2]))
