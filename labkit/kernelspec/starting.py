"""Starts ipykernel in a room, under a guard; without a room where none can be had, and says why.

It runs at every start of a kernel, so it imports little. What the kernel and its programs find in
their environment:

    LABKIT_SCOPE        a word that no other kernel has; names and keys are made from it
    LABKIT_SCRATCH      a folder that is this notebook's alone, and goes with it
    LABKIT_OUTSIDE_IPC  set in a room (`room.inside()` reads it)
    LABKIT_NO_ROOM      set without a room: the reason, for people
    LABKIT_ONE_USER     set in a room that has no second user: the reason, for people
"""

from __future__ import annotations

import contextlib
import glob
import os
import runpy
import sys

from labkit import names, room
from labkit.errors import LabError
from labkit.kernel import syscalls
from labkit.kernelspec import guard

EXTENSION = "labkit"

_MOST_PROCESSES = 2000
"""Of all programs together, and only where root is not bound by its own limit. Of so many that all run, each
still gets a processor every few seconds, so that whoever waits for one of them does."""

_GRACE_S = 0.6
"""How long the owner of the programs may take, without a room, to remove what they made."""


def start(arguments: list[str]) -> int:
    """Run the kernel until it ends or Jupyter does; `arguments` go to ipykernel."""
    parent = _jupyter()
    _prepare_environment()
    kernel = [sys.executable, "-P", "-m", "labkit.kernelspec", "within", *arguments]
    kernel += [f"--IPKernelApp.extra_extensions={EXTENSION}"]
    reason = room.why_no_room()
    if reason is None:
        users = _two_users()
        kernel = room.in_room(kernel, private=_scratch(), most_processes=_MOST_PROCESSES, users=users)
        ending = guard.Ending(afterwards=_remove_belongings)
    else:
        os.environ[room.NO_ROOM] = reason
        names.begin()
        ending = guard.Ending(_GRACE_S, _remove_belongings)
    status = guard.run(kernel, parent, ending)
    if os.getppid() != parent:
        _remove_connection(arguments)
    return status


def within(arguments: list[str]) -> None:
    """In the room: be ipykernel, without the rights that only the owner of the programs is to have."""
    syscalls.clear_ambient()
    sys.argv[1:] = arguments
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)


def _two_users() -> int | None:
    """A user namespace with a second user, for lessons on permissions; or None, and why."""
    try:
        namespace = room.users()
    except (LabError, OSError) as error:
        os.environ[room.ONE_USER] = str(error)
        return None
    os.set_inheritable(namespace, True)
    return namespace


def _jupyter() -> int:
    """The pid whose end means ours: our parent's, unless Jupyter has gone before we could look."""
    parent, said = os.getppid(), os.environ.get("JPY_PARENT_PID", "")
    if said.isdigit() and int(said) not in (parent, 1) and not os.path.exists(f"/proc/{said}"):
        sys.exit("labkit: the Jupyter that asked for this kernel is gone.")
    return parent


def _remove_belongings() -> None:
    """What the owner of the programs knew to be theirs, if it was killed before it could remove it."""
    from labkit.owner import belongings, inheriting

    inheriting.sweep()
    if room.NO_ROOM in os.environ:
        belongings.empty(os.environ[names.SCRATCH])


def _remove_connection(arguments: list[str]) -> None:
    """What Jupyter would have removed, had it lived: the connection file and its `ipc` sockets."""
    for file in arguments[arguments.index("-f") + 1 :][:1] if "-f" in arguments else []:
        sockets = glob.glob(glob.escape(os.path.splitext(file)[0]) + "-ipc-*")
        for path in [file, *sockets]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _prepare_environment() -> None:
    """What the kernel inherits. A pid of 1 tells ipykernel that its parent is not to be polled."""
    for name in ("PYTEST_CURRENT_TEST", room.NO_ROOM, room.ONE_USER, room.OUTSIDE, "LABKIT_SCRATCH"):
        os.environ.pop(name, None)
    os.environ["JPY_PARENT_PID"] = "1"
    os.environ["LABKIT_SCOPE"] = os.urandom(6).hex()
    here = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", os.defpath)
    if here not in path.split(os.pathsep):
        os.environ["PATH"] = here + os.pathsep + path


def _scratch() -> list[str]:
    """The folder over which a room lays its scratch space; empty itself, and there once per user."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "labkit", "scratch")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return []
    os.environ["LABKIT_SCRATCH"] = os.path.realpath(folder)
    return [folder]
