"""Has any of these threads run since? A question so cheap that it may be asked a hundred times a second."""

from __future__ import annotations

from collections.abc import Iterable

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel.procfiles import Files


class Runs:
    """The counters of runs of some threads, now and when it was last looked."""

    def __init__(self) -> None:
        self._files = Files()
        self._watched: frozenset[bytes] = frozenset()
        self._marked: dict[bytes, bytes] = {}

    def watch(self, threads: Iterable[tuple[int, int]]) -> None:
        """These threads (pid, tid) count from now on; one that is new counts as having run."""
        file = proc.schedule_file()
        watched = frozenset([b"/proc/%d/task/%d/%s" % (pid, tid, file) for pid, tid in threads])
        if watched != self._watched:
            self._watched = watched
            self._files.keep_only({b"/proc/%d/" % pid for pid in map(_pid, watched)})

    def since_mark(self) -> bool:
        """Has one of them run, or ended, since `mark`?"""
        return self._counters() != self._marked

    def mark(self) -> None:
        """From here on it is asked; to be called before the look, so that nothing is missed between."""
        self._marked = self._counters()

    def _counters(self) -> dict[bytes, bytes]:
        return {path: self._read(path) for path in self._watched}

    def _read(self, path: bytes) -> bytes:
        try:
            return self._files.read(path)
        except (Vanished, OSError):
            return b""


def _pid(path: bytes) -> int:
    return int(path.split(b"/", 3)[2])
