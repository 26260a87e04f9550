"""Being told at once that something came into being in a folder.

Some facts (inotify(7)):

- IN_CREATE is queued before the call that created the file returns to its caller.
- It tells the name, not who did it.
- The queue has an end; when it overflows, events are lost and one says so.

What follows for us: an event is only a reason to look now; what is found by looking counts.
"""

from __future__ import annotations

import ctypes
import os

_IN_CREATE, _IN_MOVED_TO = 0x100, 0x80

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


def creations_in(folder: str) -> int:
    """A descriptor that is readable after something was created in `folder`."""
    fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0 or _libc.inotify_add_watch(fd, os.fsencode(folder), _IN_CREATE | _IN_MOVED_TO) < 0:
        number = ctypes.get_errno()
        if fd >= 0:
            os.close(fd)
        raise OSError(number, os.strerror(number), folder)
    return fd
