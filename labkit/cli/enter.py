"""`labkit enter [NOTEBOOK]`: a terminal steps into a notebook's room.

There `ipcs`, `ls /dev/shm` and `ps` show what the notebook's programs see, with the same pids.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys

from labkit import room
from labkit.errors import LabError, Vanished
from labkit.kernel import joining
from labkit.words import listing, printable


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "notebook", nargs="?", help="a part of its name, or its number, when several are open"
    )
    parser.add_argument("-c", dest="command", metavar="COMMAND", help="run this there, instead of a shell")


def run(options: argparse.Namespace) -> int:
    """The exit status of the shell or command that ran in there."""
    if room.inside():
        raise LabError("this terminal is in a notebook's room already.")
    chosen = choose(room.open_rooms(), options.notebook)
    shell = os.environ.get("SHELL") or "/bin/sh"
    return _run_in(chosen, [shell, "-c", options.command] if options.command else [shell])


def choose(rooms: tuple[room.Room, ...], word: str | None) -> room.Room:
    """The one room that is meant; a sentence when there is none, or more than one."""
    if not rooms:
        raise LabError(f"no notebook of yours has a room now: {room.why_no_room() or _OPEN_ONE}")
    if word and word.isdigit() and 1 <= int(word) <= len(rooms):
        return rooms[int(word) - 1]
    fitting = [one for one in rooms if word is None or word in one.notebook]
    if len(fitting) == 1:
        return fitting[0]
    choices = [f"`labkit enter {number}` is {printable(one.notebook)}" for number, one in enumerate(rooms, 1)]
    problem = "which room?" if fitting else f"no room of a notebook like {word!r}."
    raise LabError(f"{problem} {listing(choices, most=len(choices))}.")


_OPEN_ONE = "open one that uses the kernel “Linux IPC”, and run a cell."


def _run_in(chosen: room.Room, command: list[str]) -> int:
    folder = os.getcwd()
    try:
        joining.join(chosen.pid)
    except FileNotFoundError:
        raise Vanished("that room has just been closed.") from None
    except PermissionError as error:
        raise LabError(f"the room of {chosen.notebook} may not be entered: {error.strerror}.") from None
    with contextlib.suppress(OSError):
        os.chdir(folder)
    if sys.stdin.isatty():
        print(f"In the room of {chosen.notebook}: pids and IPC objects are its own. Leave it with Ctrl-D.")
        sys.stdout.flush()
    return _wait(os.fork() or _become(command, chosen.environment))


def _become(command: list[str], environment: dict[str, str]) -> int:
    """In the child: the terminal's foreground job, with the room's names."""
    if sys.stdin.isatty():
        _take_terminal()
    ours = {name: value for name, value in environment.items() if name.startswith("LABKIT_")}
    try:
        os.execvpe(command[0], command, {**os.environ, "PATH": environment.get("PATH", os.defpath), **ours})
    except OSError as error:
        os.write(2, f"labkit enter: {command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _take_terminal() -> None:
    """A process group of its own, numbered in the room, for shells refuse one from outside it."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _wait(child: int) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if sys.stdin.isatty():
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
    return code if code >= 0 else 128 - code
