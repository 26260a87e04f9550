"""What a program writes: passed on as it comes, up to a limit; beyond it, kept in a file.

The first bytes are passed on at once. Past the limit everything (the first bytes too) goes into a
file, and only the last bytes are kept to be passed on at the end, with a note of what lies between.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

HEAD_BYTES = 100_000
TAIL_BYTES = 20_000
FILE_BYTES = 1_500_000_000


class Output:
    """Both streams of one program."""

    def __init__(self, path: str, emit: Callable[[int, bytes], None], whole: bool = False) -> None:
        self.path = path
        self._whole = whole
        """All of it is passed on, however much there is."""
        self.total = 0
        self._emit = emit
        self._head: list[bytes] = []
        self._tail: deque[tuple[int, bytes]] = deque()
        self._tail_bytes = 0
        self._file: int | None = None
        self._room = FILE_BYTES

    @property
    def full(self) -> bool:
        """True when the file, too, has met its limit."""
        return self._room <= 0

    def write(self, stream: int, data: bytes) -> None:
        """Take what the program wrote."""
        room = len(data) if self._whole else max(HEAD_BYTES - self.total, 0)
        self.total += len(data)
        if data[:room]:
            if not self._whole:
                self._head.append(data[:room])
            self._emit(stream, data[:room])
        if data[room:]:
            self._keep(stream, data[room:])

    def close(self) -> dict[str, int | str] | None:
        """Pass on the end. What was cut, if anything was: how many bytes, and the file with the whole."""
        if self._file is None:
            return None
        cut = self.total - HEAD_BYTES - self._tail_bytes
        os.close(self._file)
        self._file = None
        return {"bytes": cut, "path": self.path, "total": self.total}

    def tail(self) -> list[tuple[int, bytes]]:
        """The last pieces, not yet passed on."""
        return list(self._tail)

    def _keep(self, stream: int, data: bytes) -> None:
        if self._file is None:
            self._open()
        self._save(data)
        self._tail.append((stream, data))
        self._tail_bytes += len(data)
        while self._tail and self._tail_bytes - len(self._tail[0][1]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft()[1])

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        free = os.fstatvfs(self._file)
        self._room = min(FILE_BYTES, free.f_bavail * free.f_frsize // 4)
        for piece in self._head:
            self._save(piece)
        self._head.clear()

    def _save(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._room -= os.write(self._file, data)
        except OSError:
            self._room = 0
