"""Keeps a plain cell from forking the notebook's own process, or from replacing it.

Some facts:

- A forked kernel is a second kernel on the same sockets: both answer, and the notebook hangs.
- Python tells audit hooks of `os.fork`, `os.forkpty` and `os.exec` before they happen (PEP 578), and
  an exception from the hook is what the caller gets. A hook stays for as long as the process lives.
- `subprocess` and `os.posix_spawn` go other ways; `multiprocessing`, `pty` and pexpect do call os.fork,
  from code that knows what it does.

What follows for us: a fork is refused when a cell, or a module of the learner's, asks for it; the
standard library and installed packages may.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from types import FrameType, MappingProxyType

from labkit.errors import LabError

_REFUSED = {
    "os.fork": "os.fork() here would make a second copy of the notebook's own process",
    "os.forkpty": "os.forkpty() here would make a second copy of the notebook's own process",
    "os.exec": "exec here would replace the notebook's own process",
}

_guarded: int | None = None
_installed = False


def begin() -> None:
    """Guard this process (its children are free to fork)."""
    global _guarded, _installed
    _guarded = os.getpid()
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)


def end() -> None:
    """Let it be."""
    global _guarded
    _guarded = None


def _audit(event: str, _: object, refused: Mapping[str, str] = MappingProxyType(_REFUSED)) -> None:
    """Called to the very end, when this module's names are gone."""
    if event in refused and os.getpid() == _guarded and not _is_library(sys._getframe(1)):
        raise LabError(
            f"{refused[event]}: begin the cell with %%program, and it runs as a program of its own."
        )


def _is_library(caller: FrameType) -> bool:
    """Is the code that asks part of Python, or of an installed package?"""
    frame: FrameType | None = caller
    while frame is not None and frame.f_code.co_filename in (os.__file__, "<frozen os>"):
        frame = frame.f_back  # os.execlp calls os.execv
    file = frame.f_code.co_filename if frame is not None else ""
    return file.startswith(_library_folders())


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    folders |= {os.path.realpath(folder) for folder in folders}
    return tuple(os.path.join(folder, "") for folder in folders)
