"""Folders that an answer may fill as it likes, used by its judge without following the answer's links."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from labkit.exercises import fail

MOST_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folders:
    """Folders in one base, which only the judge has named."""

    def __init__(self, base: str, open_base: Callable[[], int], uid: int | None = None) -> None:
        self.base = base
        """The base's path, as the answer knows it."""
        self._open_base = open_base
        self._uid = uid
        self._count = 0
        self._known: set[str] = set()
        """The names in the base that are no answer's doing."""

    def note(self) -> None:
        """What is in the base now is no answer's doing."""
        self._known |= self._entries()

    def strays(self) -> list[str]:
        """The paths of what an answer has put into the base itself, beside its folder, in order."""
        with contextlib.suppress(OSError):
            return [self.path(name) for name in sorted(self._entries() - self._known)]
        return []

    def _entries(self) -> set[str]:
        with self._base() as base:
            return set(os.listdir(base))

    def path(self, name: str) -> str:
        return f"{self.base}/{name}"

    def renew(self, name: str) -> str:
        """An empty folder of this name; its path as the answer knows it. OSError when that cannot be.

        An older one is only moved out of the way: it goes when its base goes, however deep it is.
        """
        with self._base() as base:
            with contextlib.suppress(FileNotFoundError):
                self._count += 1
                os.rename(name, f"{name}-{self._count}", src_dir_fd=base, dst_dir_fd=base)
            self._known |= {name, f"{name}-{self._count}"}
            os.mkdir(name, 0o700, dir_fd=base)
            if self._uid is not None:
                os.chown(name, self._uid, self._uid, dir_fd=base, follow_symlinks=False)
        return self.path(name)

    def names(self, folder: str) -> list[str]:
        """What is in it, in order."""
        with self._open(folder) as fd:
            return sorted(os.listdir(fd))

    def put(self, folder: str, name: str, data: bytes) -> str:
        """A new file in it; its path as the answer knows it."""
        with self._open(folder) as fd:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=fd)
            with open(file, "wb") as stream:
                stream.write(data)
        return f"{self.path(folder)}/{name}"

    def get(self, folder: str, name: str, most: int = MOST_BYTES) -> bytes | None:
        """A regular file's beginning; None when there is no such file."""
        with self._open(folder) as fd:
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                file = os.open(name, flags, dir_fd=fd)
            except OSError:
                return None
        with open(file, "rb") as stream:
            return stream.read(most) if _is_regular(file) else None

    def hold(self, folder: str, name: str) -> int | None:
        """A descriptor (O_PATH) that stands for what has this name; None when nothing has."""
        with self._open(folder) as fd, contextlib.suppress(FileNotFoundError):
            return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        return None

    @contextlib.contextmanager
    def _base(self) -> Iterator[int]:
        fd = self._open_base()
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _open(self, folder: str) -> Iterator[int]:
        """Fails, as a criterion does, when the answer has put something else in the folder's place."""
        with self._base() as base:
            try:
                fd = os.open(folder, _FOLDER, dir_fd=base)
            except OSError as error:
                fail(f"The folder that it works in cannot be used any more: {error.strerror}.")
        try:
            yield fd
        finally:
            os.close(fd)


def _is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)


def in_room(pid: int, uid: int | None) -> Folders:
    """Folders in the `/tmp` that this process sees, and that no other room has."""

    def open_tmp() -> int:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return os.open("tmp", _FOLDER, dir_fd=root)
        finally:
            os.close(root)

    return Folders("/tmp", open_tmp, uid)


def on_host(base: str) -> Folders:
    """Folders in a folder of this machine."""
    return Folders(base, lambda: os.open(base, _FOLDER))
