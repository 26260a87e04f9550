"""Runs one command and sees to it that nothing of it outlives whoever asked for it.

Some facts about ends:

- Nobody is told of a parent's SIGKILL except through PR_SET_PDEATHSIG, which means the parent
  *thread*, is lost over fork, and has a gap before it is set. `getppid()` is never wrong: it changes
  when the parent process is gone.
- Orphans go to the nearest living ancestor that called PR_SET_CHILD_SUBREAPER, also when they have
  made sessions of their own. They are its children before it hears of their parent's end.
- Jupyter kills a kernel with SIGKILL to its whole process group, so a guard inside that group dies
  with what it guards.

What follows for us: two guards, one above the other, in two process groups, each a subreaper. If the
upper one dies, or Jupyter does, the lower one ends everything below it; if the lower one dies, the
upper one inherits everything and ends it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from labkit.kernel import syscalls

_PERIOD_S = 0.2
"""How often a guard looks whether its parent is still there; an end of its child it hears at once."""


@dataclass(frozen=True)
class Ending:
    """How what is left of a command ends, once the command itself has ended."""

    grace_s: float = 0.0
    """How long its descendants may take to put things in order by themselves."""
    afterwards: Callable[[], object] = lambda: None
    """What a guard does when all are gone; both may come to do it."""


_AT_ONCE = Ending()


def run(argv: Sequence[str], parent: int, ending: Ending = _AT_ONCE) -> int:
    """Run `argv` until it ends or the process `parent`, ours, does; then nothing of it is left."""
    return _guard(lambda: _lower_guard(argv, ending), parent, ending)


def _lower_guard(argv: Sequence[str], ending: Ending) -> NoReturn:
    upper = os.getppid()
    os.setsid()
    os._exit(_guard(lambda: _become(argv), upper, ending))


def _guard(body: Callable[[], NoReturn], parent: int, ending: Ending) -> int:
    """Fork a child for `body`; when it ends or our parent goes, end all below. Its exit status."""
    syscalls.become_subreaper()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        body()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = _wait_ended(child, parent)
    if status is None:
        os.kill(child, signal.SIGKILL)
    _end_the_rest(ending.grace_s)
    ending.afterwards()
    return 128 + signal.SIGKILL if status is None else status


def _wait_ended(child: int, parent: int) -> int | None:
    """The exit status of `child`, as a shell would give it; None when our parent went first."""
    while os.getppid() == parent:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            signal.sigtimedwait({signal.SIGCHLD}, _PERIOD_S)
    return None


def _end_the_rest(grace_s: float) -> None:
    """SIGKILL every child, and every orphan that comes to us by that, until none is left."""
    deadline = time.monotonic() + grace_s
    while _children() and (left_s := deadline - time.monotonic()) > 0:
        signal.sigtimedwait({signal.SIGCHLD}, min(left_s, _PERIOD_S))
        _reap()
    while any([_kill(pid) for pid in _children()]):
        signal.sigtimedwait({signal.SIGCHLD}, _PERIOD_S)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def _kill(pid: int) -> bool:
    """False when it is not ours to kill (a program that became somebody else, as sudo does)."""
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    return True


def _children() -> list[int]:
    """Our children, zombies too. A child stays in /proc until we reap it, so none is missed."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == os.getpid()]


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _become(argv: Sequence[str]) -> NoReturn:
    """Turn into `argv`, with the signals a new program expects, and end when the guard ends."""
    guard = os.getppid()
    syscalls.die_with_parent(signal.SIGKILL)
    syscalls.default_signals()
    os.setsid()
    if os.getppid() != guard:
        os._exit(128 + signal.SIGKILL)
    try:
        os.execvp(argv[0], list(argv))
    except OSError as error:
        os.write(2, f"labkit: cannot start {argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
