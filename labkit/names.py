"""Names, keys and paths that belong to one notebook and to nobody else.

A notebook's scope is one word, given in the environment to every program of it. All names are made
from it by plain rules, the same in Python, in C (`labkit.h`) and in the shell, so that a name made in
one cell is the name in every cell, and thirty notebooks on one machine never meet.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import tempfile

from labkit.errors import LabError

SCOPE = "LABKIT_SCOPE"
SCRATCH = "LABKIT_SCRATCH"
LOCK = "owned"
"""A file in a scratch folder that the owner of a notebook's programs removes with it."""

_PATH_MAX = 107
"""Bytes that fit in a Unix socket's address, less the zero at its end (unix(7))."""

_SHORT = 40
"""A folder whose name has so many bytes leaves room for a word."""

_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}")


def scope() -> str:
    """This notebook's own word; outside a notebook, one for the user and the terminal's session."""
    given = os.environ.get(SCOPE)
    if given:
        return given
    return f"{os.getuid():x}-{os.getsid(0):x}"


def begin() -> None:
    """Make this process the head of a scope, unless it lives in one already."""
    os.environ.setdefault(SCOPE, os.urandom(6).hex())
    os.environ.setdefault(SCRATCH, _own_folder())


def name(word: str) -> str:
    """A name for a POSIX semaphore, queue or shared memory: `/labkit-…-counter`."""
    return f"/labkit-{scope()}-{_checked(word)}"


def key(word: str) -> int:
    """A System V key: positive, never IPC_PRIVATE; its upper bits are the scope's."""
    return key_prefix(scope()) << 20 | _fnv(f"{scope()}\0{_checked(word)}") & 0xFFFFF


def key_prefix(scope: str) -> int:
    """What `key(…) >> 20` is for every key of this scope: from 1 to 2047."""
    return _fnv(scope) % 2047 + 1


def path(word: str) -> str:
    """A path for a FIFO or a socket, in a folder that goes when the notebook goes."""
    full = os.path.join(folder(), _checked(word))
    if len(os.fsencode(full)) > _PATH_MAX:
        raise LabError(f"{full} is too long for a socket's address ({_PATH_MAX} bytes): use a shorter word.")
    return full


def folder() -> str:
    """The notebook's scratch folder, made when it is not there yet and readable by its user alone."""
    folder = os.environ.get(SCRATCH) or _own_folder()
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            atexit.register(_remove_unless_owned, folder, os.getpid())
        found = os.lstat(folder)
    except OSError as error:
        raise LabError(f"The scratch folder {folder} cannot be made: {error.strerror}.") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LabError(f"The scratch folder {folder} is somebody else's; it is not used.")
    return folder


def temporary() -> str:
    """Where scratch folders are made: the folder for temporary files, if its name is short enough."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= _SHORT else "/tmp"


def _own_folder() -> str:
    return os.path.join(temporary(), f"labkit-{os.getuid()}-{scope()}")


def _remove_unless_owned(folder: str, maker: int) -> None:
    """A scratch folder goes with whoever made it, unless programs' owner took it over."""
    if os.getpid() == maker and not os.path.exists(os.path.join(folder, LOCK)):
        shutil.rmtree(folder, ignore_errors=True)


def _checked(word: str) -> str:
    if not isinstance(word, str) or not _WORD.fullmatch(word) or word in (".", ".."):
        raise LabError(
            f"{word!r} cannot be part of a name: use 1 to 64 of the letters A–Z, a–z, digits and _ . + -"
        )
    return word


def _fnv(text: str) -> int:
    """FNV-1a in 64 bits, folded to 32: a hash that a few lines of C or shell can make too."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return (value ^ value >> 32) & 0xFFFFFFFF
