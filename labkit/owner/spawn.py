"""Starts one program: a session, two terminals, limits, a mark; and tells why it could not.

Some facts about starting:

- fork(2) in a process of one thread is safe; this one has one thread.
- A new pty's slave turns "\\n" into "\\r\\n" and echoes, until told otherwise. Reading the master gives
  EIO once nobody holds the slave any more, and until then everything that was written.
- A session leader that opens a terminal gets it as its controlling terminal, unless O_NOCTTY is said.
  When such a leader ends, the terminal's foreground group gets SIGHUP: a parent that ends before its
  child would kill it. In a real terminal the leader is the shell, not the program.
- Ignored signals and the signal mask are inherited over exec.
- PR_SET_PDEATHSIG would end the program at once when its owner is killed, before anybody could see
  what it holds.

What follows for us: the program leads its own session, with no controlling terminal. Its output and
error are two ptys without echo and translation. All signals are as a new program expects them, and
whoever adopts it from a dead owner ends it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import resource
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from labkit.kernel import syscalls
from labkit.kernel.two_users import OTHER_USER
from labkit.owner import marks

ANOTHER_USER = "another user"
"""What could not be had, when it was that."""


@dataclass
class Order:
    """What is to be started, and under which limits."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    mark: int
    stdin: str = "nothing"
    """`nothing`, `text` (a pipe) or `terminal`."""
    limits: Mapping[int, int] = field(default_factory=dict)
    other_user: bool = False


@dataclass
class Started:
    pid: int
    stdout: int
    stderr: int
    stdin: int | None
    tty: str
    """The name of its output terminal, which may be its input too."""


def start(order: Order) -> Started:
    """Start the program; OSError when it cannot be."""
    out, out_end = _terminal()
    err, err_end = _terminal()
    reading, writing = os.pipe() if order.stdin == "text" else (None, None)
    if order.stdin == "terminal":
        writing = os.dup(out)
    given = reading if reading is not None else out_end if writing is not None else None
    told, tell = os.pipe()
    tty = os.ttyname(out_end)
    pid = os.fork()
    if pid == 0:
        _child(order, given, out_end, err_end, tell)
    for fd in (out_end, err_end, tell, reading):
        if fd is not None:
            os.close(fd)
    problem = _read_all(told)
    if problem:
        for fd in (out, err, writing):
            if fd is not None:
                os.close(fd)
        os.waitpid(pid, 0)
        number, _, what = problem.decode().partition(" ")
        raise OSError(int(number), os.strerror(int(number)), what)
    for fd in (out, err, writing):
        if fd is not None:
            os.set_blocking(fd, False)
    return Started(pid, out, err, writing, tty)


def _terminal() -> tuple[int, int]:
    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    termios.tcsetwinsize(slave, (24, 80))
    return master, slave


def _read_all(fd: int) -> bytes:
    with open(fd, "rb") as file:
        return file.read()


def _child(order: Order, given: int | None, out: int, err: int, tell: int) -> NoReturn:
    what = order.argv[0]
    try:
        os.setsid()
        given = os.open(os.devnull, os.O_RDONLY) if given is None else given
        for target, fd in enumerate((given, out, err)):
            os.dup2(fd, target)
        marks_and_limits(order)
        what = order.cwd
        os.chdir(order.cwd)
        program = _found(order) if order.other_user else None
        if order.other_user:
            what = ANOTHER_USER
            _become(OTHER_USER)
        what = order.argv[0]
        syscalls.clear_ambient()
        syscalls.default_signals()
        if program is not None:
            os.execve(program, list(order.argv), dict(order.env))
        os.execvpe(order.argv[0], list(order.argv), dict(order.env))
    except OSError as error:
        os.write(tell, f"{error.errno} {what}".encode())
    except BaseException as error:
        os.write(tell, f"22 {error!r}".encode())
    os._exit(127)


def marks_and_limits(order: Order) -> None:
    """Put the mark, and lower the limits (one that is lower already stays)."""
    marks.put(order.mark)
    for which, value in order.limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _found(order: Order) -> int:
    """The program as a descriptor: another user may not be able to walk to where it lies."""
    for folder in [""] if "/" in order.argv[0] else os.get_exec_path(dict(order.env)):
        with contextlib.suppress(FileNotFoundError):
            return os.open(os.path.join(folder, order.argv[0]), os.O_RDONLY | os.O_CLOEXEC)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
