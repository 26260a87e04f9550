"""Marks on disk, a line each: what was written before a crash is there after it, once.

A line counts when it is whole (it ends with a newline and is JSON); a torn one at the end is cut off. Of
two lines for the same learner and exercise the later counts. The file is locked while somebody grades
into it.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType

from labkit.errors import LabError
from labkit.grading.marks import Mark


class Journal:
    """The marks of one class, being written. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self.marks: dict[tuple[str, str], Mark] = {}

    def __enter__(self) -> Journal:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise LabError(f"Somebody else is grading into {self._path.parent} at this moment.") from None
        whole = self._read()
        os.ftruncate(self._fd, whole)
        os.lseek(self._fd, whole, os.SEEK_SET)
        return self

    def _read(self) -> int:
        """Take in all whole lines; how many bytes they are."""
        data = self._path.read_bytes()
        whole = 0
        for line in data.splitlines(keepends=True):
            try:
                mark = Mark.from_dict(json.loads(line))
            except (ValueError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            self.marks[mark.learner, mark.exercise] = mark
            whole += len(line)
        return whole

    def add(self, mark: Mark) -> None:
        """Keep a mark; when this returns, it is on the disk."""
        data = json.dumps(mark.to_dict()).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]
        os.fdatasync(self._fd)
        self.marks[mark.learner, mark.exercise] = mark

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
