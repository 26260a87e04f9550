"""Starts one program: a session, two terminals, limits, a mark; and tells why it could not.

Some facts about starting:

- fork(2) in a process of one thread is safe; this one has one thread.
- A new pty's slave turns "\\n" into "\\r\\n" and echoes, until told otherwise. Reading the master gives
  EIO once nobody holds the slave any more, and until then everything that was written.
- A session leader that opens a terminal gets it as its controlling terminal, unless O_NOCTTY is said:
  bash opens its standard input so when it starts. When such a leader ends, the terminal's foreground
  group gets SIGHUP: a parent that ends before its child would kill it. In a real terminal the leader is
  the shell, not the program. A session whose leader has ended never gets a terminal.
- Ignored signals and the signal mask are inherited over exec.
- PR_SET_PDEATHSIG would end the program at once when its owner is killed, before anybody could see
  what it holds. fork clears it, and exec does not.

What follows for us: the program has a session of its own that nobody leads (its leader only made the
program, as its own sibling), with no controlling terminal, and leads a process group. Its output and
error are two ptys without echo and translation. All signals are as a new program expects them. Until it
has its mark it dies with its owner; from then on whoever adopts it from a dead owner ends it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import resource
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
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
    records: bool = False
    """It is ours, and records programs: it tells what happens through its output, of which nothing may be
    kept back, and removes what they made when it is asked to go."""


@dataclass
class Started:
    pid: int
    session: int
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
    owner = os.getpid()
    leader = os.fork()
    if leader == 0:
        _lead(tell, lambda: _child(order, owner, given, out_end, err_end, tell))
    for fd in (out_end, err_end, tell, reading):
        if fd is not None:
            os.close(fd)
    pid, problem = _told(told)
    os.waitpid(leader, 0)
    if problem is not None:
        for fd in (out, err, writing):
            if fd is not None:
                os.close(fd)
        if pid:
            os.waitpid(pid, 0)
        raise problem
    for fd in (out, err, writing):
        if fd is not None:
            os.set_blocking(fd, False)
    return Started(pid, leader, out, err, writing, tty)


def _terminal() -> tuple[int, int]:
    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    termios.tcsetwinsize(slave, (24, 80))
    return master, slave


def _told(fd: int) -> tuple[int, OSError | None]:
    """What the child said, once it is the program or has failed: its pid, and why it failed."""
    with open(fd, encoding="utf-8") as file:
        pid, number, what = (*file.read().split("\n", 2), "", "")[:3]
    return int(pid or 0), OSError(int(number), os.strerror(int(number)), what) if number else None


def _lead(tell: int, body: Callable[[], NoReturn]) -> NoReturn:
    """Make a session, and in it a child of our parent that runs `body`; and be gone."""
    try:
        os.setsid()
        if syscalls.fork_sibling() == 0:
            body()
    except OSError as error:
        os.write(tell, f"0\n{error.errno}\nfork".encode())
    os._exit(0)


def _child(order: Order, owner: int, given: int | None, out: int, err: int, tell: int) -> NoReturn:
    what = order.argv[0]
    os.write(tell, f"{os.getpid()}\n".encode())
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() != owner:
            os._exit(127)
        os.setpgid(0, 0)
        given = os.open(os.devnull, os.O_RDONLY) if given is None else given
        for target, fd in enumerate((given, out, err)):
            os.dup2(fd, target)
        marks_and_limits(order)
        syscalls.die_with_parent(0)
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
        os.write(tell, f"{error.errno}\n{what}".encode())
    except BaseException as error:
        os.write(tell, f"22\n{error!r}".encode())
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
