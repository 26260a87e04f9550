"""Makes this machine poorer for one command: an ordinary user's, or a container's without namespaces.

Some facts:

- Docker's stock seccomp filter answers EPERM to unshare, setns, mount, kcmp and pidfd_getfd, EPERM to a
  clone that asks for namespaces, and ENOSYS to clone3, whose flags a filter cannot see.
- A filter is inherited over fork and exec, and can be set by anyone who gives up new privileges.
- As root in the tests, `Popen(user=…)` makes an ordinary user: all capabilities go with the uid.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from labkit.kernel.numbers import number

_NAMESPACES = 0x7E020080
"""All CLONE_NEW… flags."""

_LOAD, _EQUAL, _ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NR, _FIRST_ARGUMENT = 0, 16
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38

_libc = ctypes.CDLL(None, use_errno=True)


def like_docker(*others: str) -> Callable[[], None]:
    """A `preexec_fn` that refuses namespaces, and the calls named, as Docker's stock filter does."""
    refused = ["unshare", "setns", "mount", *others]
    program = _program(refused)
    return functools.partial(_install, program)


def _program(refused: Iterable[str]) -> bytes:
    def op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    out = op(_LOAD, _NR)
    for name in refused:
        out += op(_EQUAL, _known(name), 0, 1) + op(_RETURN, _ERRNO | errno.EPERM)
    out += op(_EQUAL, _known("clone3"), 0, 1) + op(_RETURN, _ERRNO | errno.ENOSYS)
    out += op(_EQUAL, _known("clone"), 0, 3) + op(_LOAD, _FIRST_ARGUMENT)
    out += op(_ANY, _NAMESPACES, 0, 1) + op(_RETURN, _ERRNO | errno.EPERM)
    return out + op(_RETURN, _ALLOW)


def _known(name: str) -> int:
    nr = number(name)
    assert nr is not None, name
    return nr


def _install(program: bytes) -> None:
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _libc.prctl(_PR_SET_SECCOMP, 2, filter_):
        os._exit(99)


# --- an ordinary user -------------------------------------------------------------------------------

UID = 1001


@functools.cache
def _python_for_all() -> str | None:
    """A Python, and with it a labkit, that another user can run."""
    check = "import labkit.room, sys; assert sys.version_info >= (3, 11)"
    user: dict[str, Any] = {"user": UID, "group": UID, "extra_groups": [], "env": _environment("/")}
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            if subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, **user).returncode == 0:
                return python
        except PermissionError:  # the program, or becoming another user, is not allowed
            continue
    return None


def _environment(home: str) -> dict[str, str]:
    ours = [str(Path(__file__).parent.parent), sysconfig.get_path("purelib")]
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
    return {**kept, "HOME": home, "PYTHONPATH": os.pathsep.join(ours)}


def ordinary_user(home: Path) -> tuple[str, dict[str, Any]]:
    """(a Python, options for Popen) to run as an ordinary user; skips the test where there is none."""
    if os.geteuid() != 0:
        return sys.executable, {}
    python = _python_for_all()
    if python is None:
        pytest.skip("root may not become another user here, or no Python is there that others can run")
    os.chown(home, UID, UID)
    for folder in home.parents:
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    return python, {"user": UID, "group": UID, "extra_groups": [], "env": _environment(str(home))}
