"""The system calls that Python does not have, as functions that raise OSError.

Some facts about calling the kernel by number:

- `syscall(2)` takes a number that differs between machines; the numbers come from `numbers.py`.
  Calls added since Linux 5.1 have the same number everywhere (pidfd_open is 434 on all of them).
- C's `errno` belongs to a thread and is overwritten by the next failing call of anybody in it;
  ctypes keeps a private copy for libraries opened with `use_errno=True`.
- pidfd_open (5.3) and pidfd_getfd (5.6) need the right to ptrace the other process; so do kcmp and
  process_vm_readv. Docker's stock seccomp profile refuses pidfd_getfd and kcmp with EPERM, older
  ones with ENOSYS.
- Every descriptor the kernel installs with pidfd_getfd is close-on-exec.

What follows for us: each function below is one call, gives its result, and raises the OSError
that the kernel named. Who may do what is decided (and said in words) elsewhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

from labkit.kernel.numbers import number

KCMP_FILE = 0
KCMP_VM = 1
KCMP_FILES = 2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = -1
SPLICE_F_NONBLOCK = 2
CLONE_PARENT = 0x8000
CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def _function(symbol: str, result: type, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined]
    """A C function of its own, so that its types are nobody else's."""
    function = _libc[symbol]
    function.restype = result
    function.argtypes = arguments
    return function


_int, _long, _ulong, _pointer, _size = (
    ctypes.c_int,
    ctypes.c_long,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_size_t,
)
_pidfd_open = _function("syscall", _long, _long, _int, _int)
_pidfd_getfd = _function("syscall", _long, _long, _int, _int, _int)
_pidfd_send_signal = _function("syscall", _long, _long, _int, _int, _pointer, _int)
_kcmp = _function("syscall", _long, _long, _int, _int, _int, _ulong, _ulong)
_rt_sigaction = _function("syscall", _long, _long, _int, _pointer, _pointer, _size)
_tee = _function("tee", ctypes.c_ssize_t, _int, _int, _size, ctypes.c_uint)
_process_vm_readv = _function(
    "process_vm_readv",
    ctypes.c_ssize_t,
    _int,
    _pointer,
    _ulong,
    _pointer,
    _ulong,
    _ulong,
)
_prctl = _function("prctl", _int, _int, _ulong, _ulong, _ulong, _ulong)
_unshare = _function("unshare", _int, _int)
_clone = _function("syscall", _long, _long, _ulong, _pointer, _pointer, _pointer, _pointer)
_getsockopt = _function("getsockopt", _int, _int, _int, _int, _pointer, _pointer)
_statfs = _function("statfs", _int, ctypes.c_char_p, _pointer)
_sysv = {name: _function(name, _int, _int, _int, _int, _pointer) for name in ("semctl",)} | {
    name: _function(name, _int, _int, _int, _pointer) for name in ("msgctl", "shmctl")
}
_msgrcv = _function("msgrcv", ctypes.c_ssize_t, _int, _pointer, _size, _long, _int)


def _number(name: str) -> int:
    known = number(name)
    return -1 if known is None else known  # no call has number -1: the kernel says ENOSYS


_PIDFD_OPEN = _number("pidfd_open")
_PIDFD_GETFD = _number("pidfd_getfd")
_PIDFD_SEND_SIGNAL = _number("pidfd_send_signal")
_KCMP = _number("kcmp")
_RT_SIGACTION = _number("rt_sigaction")
_SIGNALS = 64
_SIGACTION = bytes(32)
"""The kernel's `struct sigaction`, all zero: SIG_DFL, no flags, no mask."""


def _failed(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), call)


def pidfd_open(pid: int) -> int:
    """A descriptor that stands for this process, and for no later one with its number."""
    fd: int = _pidfd_open(_PIDFD_OPEN, pid, 0)
    if fd < 0:
        raise _failed("pidfd_open")
    return fd


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A copy of another process's descriptor: the same open file description. Close it at once."""
    copy: int = _pidfd_getfd(_PIDFD_GETFD, pidfd, fd, 0)
    if copy < 0:
        raise _failed("pidfd_getfd")
    return copy


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """Send a signal to exactly the process the descriptor stands for."""
    if _pidfd_send_signal(_PIDFD_SEND_SIGNAL, pidfd, signal, None, 0) < 0:
        raise _failed("pidfd_send_signal")


def kcmp(pid1: int, pid2: int, type: int, index1: int, index2: int) -> int:
    """0: the same kernel object. Otherwise -1 or 1: before or after, in an order that does not change."""
    order: int = _kcmp(_KCMP, pid1, pid2, type, index1, index2)
    if order < 0:
        raise _failed("kcmp")
    return (0, -1, 1, 3)[order] if order < 3 else 1


def tee(source: int, target: int, size: int) -> int:
    """Copy bytes from one pipe into another without taking them, and without blocking."""
    count: int = _tee(source, target, size, SPLICE_F_NONBLOCK)
    if count < 0:
        raise _failed("tee")
    return count


class _IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def process_vm_readv(pid: int, address: int, size: int) -> bytes:
    """Bytes of another process's memory; fewer than asked for where its memory ends."""
    buffer = ctypes.create_string_buffer(size)
    local = _IoVec(ctypes.addressof(buffer), size)
    remote = _IoVec(address, size)
    count = _process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if count < 0:
        raise _failed("process_vm_readv")
    return buffer.raw[:count]


def prctl(option: int, argument: int = 0, another: int = 0) -> int:
    """prctl(2) with one argument, or two."""
    result: int = _prctl(option, argument & (2**64 - 1), another, 0, 0)
    if result < 0:
        raise _failed("prctl")
    return result


def unshare(flags: int) -> None:
    """Go into new namespaces of these kinds."""
    if _unshare(flags) < 0:
        raise _failed("unshare")


def fork_sibling() -> int:
    """fork(2), but the child is our parent's: clone(2) with CLONE_PARENT. For a process of one thread."""
    pid: int = _clone(number("clone") or -1, CLONE_PARENT | signal.SIGCHLD, None, None, None, None)
    if pid < 0:
        raise _failed("clone")
    return pid


def raise_ambient(capability: int) -> None:
    """Have what this thread executes keep a capability that it has itself."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def clear_ambient() -> None:
    """Have what this thread executes keep no capability because of us."""
    with contextlib.suppress(OSError):  # before Linux 4.3 there are none
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def default_signals() -> None:
    """Every signal does what it does in a new program, and none is blocked: for a child before exec.

    Also 32 and 33, which the C library keeps for itself and refuses in sigaction(3): a program started
    by posix_spawn(3) from one that uses threads may ignore them, and hand that on.
    """
    for which in set(range(1, _SIGNALS + 1)) - {signal.SIGKILL, signal.SIGSTOP}:
        if _rt_sigaction(_RT_SIGACTION, which, _SIGACTION, None, 8) < 0:
            raise _failed("rt_sigaction")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become_subreaper(on: bool = True) -> None:
    """Orphans among our descendants become our children from now on; or no longer."""
    prctl(PR_SET_CHILD_SUBREAPER, on)


def is_subreaper() -> bool:
    """Do orphans among our descendants become our children?"""
    answer = ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(answer))
    return bool(answer.value)


def allow_tracer(pid: int) -> None:
    """Let this process (and its descendants) look into us under Yama; no effect without Yama."""
    with contextlib.suppress(OSError):  # EINVAL: no Yama here, so there is nothing to allow
        prctl(PR_SET_PTRACER, pid)


def die_with_parent(signal: int) -> None:
    """Have the kernel send us this signal when the thread that made us ends."""
    prctl(PR_SET_PDEATHSIG, signal)


def filesystem_type(path: bytes) -> int:
    """The magic number of the filesystem a path is on (statfs(2)): 0x19800202 is mqueue."""
    buffer = ctypes.create_string_buffer(256)
    if _statfs(path, ctypes.addressof(buffer)) < 0:
        raise _failed("statfs")
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


SOL_SOCKET, IPPROTO_TCP, TCP_USER_TIMEOUT = 1, 6, 18
_TIME_LIMITS = {"receive": 20, "send": 21, "connect": 21}
"""SO_RCVTIMEO and SO_SNDTIMEO, on the machines we know."""


def socket_time_limit(fd: int, call: str) -> bool:
    """Has the socket a time limit for receiving (`receive`) or for sending (`send`, `connect`)?

    TCP_USER_TIMEOUT ends a connection on which nothing that was sent is taken for so long.
    """
    value, size = ctypes.create_string_buffer(16), ctypes.c_uint(16)
    where = ctypes.addressof(value), ctypes.addressof(size)
    if _getsockopt(fd, SOL_SOCKET, _TIME_LIMITS[call], *where) < 0:
        raise _failed("getsockopt")
    if any(value.raw) or call == "receive":
        return any(value.raw)
    return _getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, *where) == 0 and any(value.raw)


def semctl(semid: int, semnum: int, command: int, argument: int | None = None) -> int:
    """semctl(2); `argument` is the union's value: an address for GETALL and IPC_STAT."""
    result: int = _sysv["semctl"](semid, semnum, command, argument)
    if result < 0:
        raise _failed("semctl")
    return result


def msgctl(msqid: int, command: int, address: int | None = None) -> int:
    """msgctl(2)."""
    result: int = _sysv["msgctl"](msqid, command, address)
    if result < 0:
        raise _failed("msgctl")
    return result


def shmctl(shmid: int, command: int, address: int | None = None) -> int:
    """shmctl(2)."""
    result: int = _sysv["shmctl"](shmid, command, address)
    if result < 0:
        raise _failed("shmctl")
    return result


def msgrcv(msqid: int, address: int, size: int, type: int, flags: int) -> int:
    """msgrcv(2): the number of bytes of the message's text."""
    result: int = _msgrcv(msqid, address, size, type, flags)
    if result < 0:
        raise _failed("msgrcv")
    return result
