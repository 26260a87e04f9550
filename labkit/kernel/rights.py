"""What this process may see on this machine: each ability tried once, on ourselves.

Some facts about rights:

- Looking into a process takes the right to ptrace it (ptrace(2), "access mode checking"): the same
  user, not set-user-ID or hidden (prctl PR_SET_DUMPABLE), or CAP_SYS_PTRACE. A process may always look
  into itself: what is refused there is refused by a filter, whoever asks.
- There are two grades. *Read* (/proc/PID/fd, maps, kcmp) and *attach* (/proc/PID/syscall,
  process_vm_readv, pidfd_getfd, ptrace). Yama's ptrace_scope (1 on Ubuntu and others) forbids attach
  except to ancestors and to whom PR_SET_PTRACER names.
- Docker's stock seccomp profile answers EPERM to pidfd_getfd and kcmp where the kernel is older than
  4.8 or CAP_SYS_PTRACE is missing, other filters ENOSYS: a call that would only take a bad argument
  tells which.

What follows for us: try each call on ourselves once, remember the answer, and give the reason in
words wherever something is missing.
"""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

from labkit.kernel import proc, syscalls

INITIAL_PID_NAMESPACE = b"pid:[4026531836]"
INITIAL_USER_NAMESPACE = b"user:[4026531837]"


class Ability(NamedTuple):
    """One thing that this machine shows, or does not."""

    name: str
    shows: str
    """What it is good for."""
    error: OSError | None
    """Why not; None when it works."""


@functools.cache
def capabilities() -> tuple[Ability, ...]:
    """Everything labkit looks with, tried once on ourselves."""
    return tuple(Ability(name, shows, _tried(trial)) for name, (shows, trial) in _TRIALS.items())


@functools.cache
def allowed(name: str) -> bool:
    """May this call be made here at all? True for calls that are not tried."""
    trial = _TRIALS.get(name)
    return trial is None or _tried(trial[1]) is None


def _tried(trial: object) -> OSError | None:
    try:
        trial()  # type: ignore[operator]
    except OSError as error:
        return error
    except Exception as error:  # Vanished: the file is not there
        return OSError(2, str(error))
    return None


def _getfd() -> None:
    read, write = os.pipe()
    pidfd = -1
    try:
        pidfd = syscalls.pidfd_open(os.getpid())
        os.close(syscalls.pidfd_getfd(pidfd, read))
    finally:
        for fd in (read, write, pidfd):
            if fd >= 0:
                os.close(fd)


def _kcmp() -> None:
    read, write = os.pipe()
    try:
        syscalls.kcmp(os.getpid(), os.getpid(), syscalls.KCMP_FILE, read, write)
    finally:
        os.close(read)
        os.close(write)


def _vm_readv() -> None:
    import ctypes

    word = ctypes.c_long(7)
    syscalls.process_vm_readv(os.getpid(), ctypes.addressof(word), 8)


def _pagemap() -> None:
    os.close(os.open("/proc/self/pagemap", os.O_RDONLY))


def _children() -> None:
    proc.read(b"/proc/thread-self/children")


_TRIALS = {
    "pidfd_getfd": ("what is inside pipes and sockets", _getfd),
    "kcmp": ("which descriptors are one open file description", _kcmp),
    "process_vm_readv": ("the sets of poll, select and semop; System V segments", _vm_readv),
    "/proc/PID/syscall": ("the call that a process waits in", lambda: proc.read(b"/proc/self/syscall")),
    "/proc/PID/fd": ("what processes hold open", lambda: proc.numbers_in(b"/proc/self/fd")),
    "/proc/PID/maps": ("what memory is shared", lambda: proc.read(b"/proc/self/maps")),
    "/proc/PID/pagemap": ("which pages are shared, private or absent", _pagemap),
    "/proc/PID/task/TID/children": ("who forked whom, quickly", _children),
    "/proc/PID/schedstat": ("that a process slept all the while", lambda: proc.read(b"/proc/self/schedstat")),
}  # fmt: skip


def yama_scope() -> int:
    """kernel.yama.ptrace_scope; 0 where there is no Yama."""
    try:
        return int(proc.read(b"/proc/sys/kernel/yama/ptrace_scope"))
    except Exception:  # not there, or not shown: then nothing is forbidden by it
        return 0


CAP_SYS_PTRACE = 19


@functools.cache
def looks_into_everybody() -> bool:
    """Have we the right to look into every process that /proc shows, whoever's it is?"""
    fields = dict(
        line.split(b":\t", 1) for line in proc.read(b"/proc/self/status").splitlines() if b":\t" in line
    )
    capable = int(fields.get(b"CapEff", b"0"), 16) >> CAP_SYS_PTRACE & 1
    return bool(capable) and os.readlink(b"/proc/self/ns/user") == INITIAL_USER_NAMESPACE


@functools.cache
def sees_all_processes() -> bool:
    """Are the processes in /proc all there are? Not in a PID namespace of its own, nor with hidepid."""
    try:
        return os.readlink(b"/proc/self/ns/pid") == INITIAL_PID_NAMESPACE and os.path.exists("/proc/1")
    except OSError:
        return False
