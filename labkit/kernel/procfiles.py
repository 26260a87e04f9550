"""Files of /proc that are read again and again, kept open.

Some facts about an open file of /proc:

- Reading it again from the start makes its text anew: nothing that was read before is kept.
- It stands for the process it was opened for: when that is gone, `read` says ESRCH, also when the
  number belongs to another process by then. An `fdinfo/N` stands for the number N in its table: closed,
  it says ENOENT; opened again, it tells of the new one.
- `open` costs more than `read`: the path is walked, the right to look is checked.

What follows for us: a view that looks thirty times a second keeps what it reads open, up to a bound,
since descriptors are scarce; what is beyond it is opened each time.
"""

from __future__ import annotations

import os

from labkit.kernel import proc

MOST = 192
"""Kept open at most: descriptors are scarce (often 1,024 a process)."""


class Files:
    """Owner of the files kept open."""

    def __init__(self, most: int = MOST) -> None:
        self._open: dict[bytes, int] = {}
        self._once: set[bytes] = set()
        self._most = most

    def read(self, path: bytes) -> bytes:
        """As `proc.read`, for files shorter than a page or so."""
        fd = self._open.get(path)
        if fd is None:
            return self._first(path)
        try:
            data = os.pread(fd, 4096, 0)
        except OSError:  # gone, or another one's by now: let `open` say which
            self.forget(path)
            return self._first(path)
        if len(data) > 3072:
            return proc.read(path)
        return data

    def _first(self, path: bytes) -> bytes:
        data = proc.read(path)
        if path not in self._once:  # who looks only once shall not pay for the second time
            self._once.add(path)
        elif len(self._open) < self._most:
            try:
                self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise proc.translated(error, path) from None
        return data

    def forget(self, path: bytes) -> None:
        """Close one."""
        os.close(self._open.pop(path))

    def keep_only(self, begins: set[bytes]) -> None:
        """Close those that do not begin so."""
        for path in [path for path in self._open if path[: path.index(b"/", 6) + 1] not in begins]:
            self.forget(path)
        self._once &= self._open.keys()

    def close(self) -> None:
        """Close all."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()
