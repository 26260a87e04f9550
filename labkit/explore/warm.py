"""Programs that are run many times are started by a small process of their own, one for each program.

`Warm` is the hold on `zygote.py`: a Python interpreter that has already started, and forks for each run.
Only programs that our launcher runs can be warmed: it marks where the program itself begins. `Spawner` is
the hold on `spawner.py`, which starts any other program anew.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from labkit.conductor.start import FILTER, find_program, own_processor
from labkit.errors import LabError
from labkit.kernel import ptrace, syscalls
from labkit.programs import LAUNCHER, Command

_HERE = os.path.dirname(os.path.abspath(__file__))
ZYGOTE, SPAWNER = os.path.join(_HERE, "zygote.py"), os.path.join(_HERE, "spawner.py")


def can_be_warmed(command: Command) -> bool:
    """True: the command is Python source, run by our launcher."""
    return len(command.argv) > 2 and command.argv[1] == LAUNCHER


class Spawner:
    """Starts one program over and over."""

    is_warm = False

    def __init__(self, command: Command) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._others = set(_children())
        self._socket = ours
        self._process = subprocess.Popen(
            self._argv(command, theirs.fileno()),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=command.cwd or None,
            env=dict(command.env) or None,
            preexec_fn=partial(_prepare, own_processor()),  # noqa: PLW1509 (whoever explores has one thread)
        )
        theirs.close()
        ours.send(FILTER)

    def _argv(self, command: Command, fd: int) -> list[str]:
        return [sys.executable, "-I", "-S", SPAWNER, str(fd), find_program(command), *command.argv]

    def fork(self, fds: Sequence[int]) -> int:
        """A new run of the program: its pid. It waits for a byte on the first descriptor."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self._socket.sendmsg([b"!"], rights)
        data = self._socket.recv(4)
        if len(data) < 4:
            raise LabError("What starts the programs has ended, and with it the exploration.")
        pid: int = struct.unpack("=i", data)[0]
        return pid

    def close(self) -> None:
        """End it."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pid in set(_children()) - self._others:  # what it had not waited for comes to us, its subreaper
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


class Warm(Spawner):
    """One program's warm interpreter."""

    is_warm = True

    def _argv(self, command: Command, fd: int) -> list[str]:
        interpreter, *arguments = command.argv
        return [interpreter, ZYGOTE, str(fd), *arguments]


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def _prepare(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    ptrace.die_with_parent()
    syscalls.default_signals()
    ptrace.fix_addresses()
