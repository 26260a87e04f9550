"""Warm interpreters: a Python program that is run many times starts from one that has already started.

The hold on `zygote.py`, which is started once for each program and forks for each run. Only programs
that our launcher runs can be warmed: it marks where the program itself begins.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Sequence

from labkit.conductor.start import FILTER
from labkit.kernel import ptrace, syscalls
from labkit.programs import LAUNCHER, Command

ZYGOTE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zygote.py")


def can_be_warmed(command: Command) -> bool:
    """True: the command is Python source, run by our launcher."""
    return len(command.argv) > 2 and command.argv[1] == LAUNCHER


class Warm:
    """One program's warm interpreter."""

    def __init__(self, command: Command) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        interpreter, *arguments = command.argv
        self._others = set(_children())
        self._socket = ours
        self._process = subprocess.Popen(
            [interpreter, ZYGOTE, str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=command.cwd or None,
            env=dict(command.env) or None,
            preexec_fn=_prepare,  # noqa: PLW1509 (whoever explores has one thread)
        )
        theirs.close()
        ours.send(FILTER)

    def fork(self, fds: Sequence[int]) -> int:
        """A new run of the program: its pid. It waits for a byte on the first descriptor."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self._socket.sendmsg([b"!"], rights)
        data = self._socket.recv(4)
        if len(data) < 4:
            raise ChildProcessError("the warm interpreter has ended")
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


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def _prepare() -> None:
    ptrace.die_with_parent()
    syscalls.default_signals()
    ptrace.fix_addresses()
