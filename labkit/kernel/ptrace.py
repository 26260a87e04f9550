"""ptrace and seccomp: stop a program before the calls that matter, and see them happen.

Some facts about ptrace (ptrace(2), with PTRACE_SEIZE, since Linux 3.4):

- A tracer is one *thread*: only the thread that seized a task may ask anything of it.
- Stops come through `waitpid(-1, __WALL)`: before and after a call, when a signal is about to be
  delivered, at fork, exec and exit, and when a whole process is stopped by SIGSTOP ("group-stop",
  which the tracer must answer with PTRACE_LISTEN, or it undoes the stop).
- PTRACE_GET_SYSCALL_INFO (Linux 5.3) gives number, arguments and result of a call in one layout for
  every architecture: no registers to know.
- PTRACE_O_EXITKILL: when the tracer dies, for whatever reason, the kernel kills all it traces.
- A call cut short by a signal shows one of -512, -513, -514, -516 at its exit: the kernel will start it
  again, or turn the number into EINTR when a handler has run.
- A traced process is woken by signals that it ignores (an untraced one never hears of them). Most
  calls are then started again; `semop`, `msgrcv`, `epoll_wait` would give EINTR.
- PTRACE_INTERRUPT ends any call that sleeps, as a signal would. If a stop at the call's exit follows, that
  is the only one ("any trap clears pending STOP trap", kernel/signal.c), and there the result can be set.

Some facts about seccomp (seccomp(2), bpf(2)):

- SECCOMP_RET_TRACE stops a task at chosen calls only; all others run at full speed. The call has not
  happened yet at that stop. PTRACE_SYSCALL lets it happen and stops again at its exit.
- With no tracer attached, SECCOMP_RET_TRACE makes the call fail with ENOSYS: seize first, then filter.
- An ordinary user may install a filter after PR_SET_NO_NEW_PRIVS; both are inherited and stay.
- Call numbers mean nothing without the architecture: a filter must look at the `arch` field.

What follows for us: a conductor is a process of its own with one thread; the child waits until it is
seized, filters itself and executes the program; and a call that an ignored signal cut short is marked
to be started again, so that the program sees what it would see with nobody watching.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, number
from labkit.kernel.peek import words

WALL: Final = 0x40000000
"""waitpid(2)'s __WALL: also those made by clone without SIGCHLD."""

_SEIZE, _CONT, _SYSCALL, _LISTEN, _INTERRUPT = 0x4206, 7, 24, 0x4208, 0x4207
_GETEVENTMSG, _GETSIGINFO, _PEEKSIGINFO, _GET_SYSCALL_INFO = 0x4201, 0x4202, 0x4209, 0x420E
_SI_QUEUE, _SI_KERNEL = -1, 128
_SENT = (0, _SI_QUEUE, -3, -6)
"""Codes of signals that have a sender: kill, sigqueue, mq_notify, tgkill. (Timers have numbers there.)"""
_FAULTS = (7, 11)
_SHARED = 1
"""Of PTRACE_PEEKSIGINFO: the signals that wait for the process as a whole."""
_GETREGSET, _SETREGSET, _NT_PRSTATUS, _NT_ARM_SYSCALL = 0x4204, 0x4205, 1, 0x404
_ORIG_RAX = 15

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_VFORK_DONE, EVENT_EXIT, EVENT_SECCOMP = range(1, 8)
EVENT_STOP: Final = 128
SYSCALL_STOP: Final = 0x80 | 5
"""SIGTRAP with the mark of PTRACE_O_TRACESYSGOOD."""

_EVENTS = (EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_VFORK_DONE, EVENT_EXIT, EVENT_SECCOMP)
_OPTIONS = 0x100000 | 1 | sum(1 << event for event in _EVENTS)
"""PTRACE_O_EXITKILL, PTRACE_O_TRACESYSGOOD, and a stop for every event above."""

RESTARTS: Final = frozenset({-512, -513, -514, -516})
"""Results that a program never sees: the call is started again, or fails with EINTR."""

_RESTART_ALWAYS, _RESTART_UNLESS_HANDLED = -513, -514
_RESULT_REGISTER = {"x86_64": 10, "aarch64": 0}
"""Where NT_PRSTATUS keeps a call's result: rax, x0."""

_libc = ctypes.CDLL(None, use_errno=True)
_ptrace = _libc.ptrace
_ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_ptrace.restype = ctypes.c_long
_buffer = ctypes.create_string_buffer(256)
_address = ctypes.addressof(_buffer)


def _request(request: int, tid: int, address: int = 0, data: int = 0) -> int:
    result: int = _ptrace(request, tid, address, data)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"ptrace of {tid}")
    return result


def seize(pid: int) -> None:
    """Trace `pid` and all its descendants; they die with the calling thread."""
    _request(_SEIZE, pid, 0, _OPTIONS)


def resume(tid: int, signal: int = 0) -> None:
    """Let a stopped task go on, delivering `signal` if not 0; it stops at its next event."""
    _request(_CONT, tid, 0, signal)


def resume_to_exit(tid: int, signal: int = 0) -> None:
    """Let a task stopped before a call make it; it stops again when the call is done."""
    _request(_SYSCALL, tid, 0, signal)


def listen(tid: int) -> None:
    """Leave a task in its group-stop, and be told when SIGCONT ends it."""
    _request(_LISTEN, tid)


def interrupt(tid: int) -> None:
    """Stop a task that computes. One asleep in a call leaves it: whoever asks must mend the result."""
    _request(_INTERRUPT, tid)


def event_message(tid: int) -> int:
    """What the last event carries: a new task's tid, or an exit status."""
    _request(_GETEVENTMSG, tid, 0, _address)
    value: int = struct.unpack_from("=L" if ctypes.sizeof(ctypes.c_long) == 4 else "=Q", _buffer)[0]
    return value


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """A signal about to be delivered."""

    signal: int
    code: int
    """Why: 0 and below: sent by a process (si_code in sigaction(2))."""
    sender: int | None
    """Pid of the sender; None when the kernel sent it."""
    value: int | None = None
    """What `sigqueue` sent with it."""
    address: int | None = None
    """Where memory was used that may not be (SIGSEGV, SIGBUS)."""


def signal_info(tid: int) -> SignalInfo:
    """The signal a task stands before."""
    _request(_GETSIGINFO, tid, 0, _address)
    return _signal_info()


def pending_sender(tid: int, signal: int) -> int | None:
    """Who sent the first such signal that waits to be delivered to a stopped task's process, if one does."""
    for at in range(64):
        what = ctypes.create_string_buffer(struct.pack("=QIi", at, _SHARED, 1))
        if _request(_PEEKSIGINFO, tid, ctypes.addressof(what), _address) < 1:
            break
        info = _signal_info()
        if info.signal == signal:
            return info.sender
    return None


def _signal_info() -> SignalInfo:
    signal, code, pid, value = struct.unpack_from("=i4xi4xi4xi", _buffer)
    address: int = struct.unpack_from("=Q", _buffer, 16)[0]
    return SignalInfo(
        signal,
        code,
        pid if code in _SENT or (signal == 17 and code > 0) else None,
        value if code == _SI_QUEUE else None,
        address if signal in _FAULTS and code > 0 and code != _SI_KERNEL else None,
    )


class CallInfo(NamedTuple):
    """A call at one of its two stops."""

    number: int
    args: tuple[int, ...]
    instruction: int
    """Address of the instruction that made the call."""
    arch: int
    stack: int
    """The stack pointer."""


_HEAD = struct.Struct("=B3xIQQ").unpack_from
_ARGUMENTS = struct.Struct("=7Q").unpack_from
_RESULT = struct.Struct("=B23xq").unpack_from


def call_entry(tid: int) -> CallInfo | None:
    """The call that a task is about to make, or None if it is at no such stop."""
    _request(_GET_SYSCALL_INFO, tid, 88, _address)
    (op, arch, instruction, stack), args = _HEAD(_buffer), _ARGUMENTS(_buffer, 24)
    return CallInfo(args[0], args[1:], instruction, arch, stack) if op in (1, 3) else None


def call_result(tid: int) -> int | None:
    """The result of the call that a task has just made (an error is -errno), or None if not there."""
    _request(_GET_SYSCALL_INFO, tid, 88, _address)
    op, value = _RESULT(_buffer)
    return value if op == 2 else None


def stack_pointer(tid: int) -> int:
    """Where the stack of a task that has just made a call ends."""
    _request(_GET_SYSCALL_INFO, tid, 88, _address)
    stack: int = _HEAD(_buffer)[3]
    return stack


def return_address(tid: int, stack: int) -> int:
    """Where the function will return to that has just made a call, if it did nothing but that."""
    if MACHINE == "x86_64":
        return (words(tid, stack, 1) or [0])[0]
    return _register(tid, 30)


def restart_unless_handled(tid: int) -> None:
    """At a call's exit: have the kernel start the call again, unless a signal handler runs first."""
    set_result(tid, _RESTART_UNLESS_HANDLED)


def make_again(tid: int) -> None:
    """At a call's exit: have the kernel make the call again in any case, after a signal handler."""
    set_result(tid, _RESTART_ALWAYS)


def set_call(tid: int, number: int) -> None:
    """At a call's beginning: have the kernel make this call instead; −1: none. At its exit: which one it was.

    (Only of one that was made does the kernel ask whether it is to be made again.)
    """
    if MACHINE == "aarch64":
        value = ctypes.c_int(number)
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(value), ctypes.sizeof(value))
        _request(_SETREGSET, tid, _NT_ARM_SYSCALL, ctypes.addressof(vector))
        return
    registers, vector = _registers(tid)
    struct.pack_into("=q", registers, 8 * _ORIG_RAX, number)
    _request(_SETREGSET, tid, _NT_PRSTATUS, ctypes.addressof(vector))


def set_result(tid: int, result: int) -> None:
    """At a call's exit: have the program see this result (an error is -errno)."""
    registers, vector = _registers(tid)
    struct.pack_into("=q", registers, 8 * _RESULT_REGISTER[MACHINE], result)
    _request(_SETREGSET, tid, _NT_PRSTATUS, ctypes.addressof(vector))


def _register(tid: int, number: int) -> int:
    value: int = struct.unpack_from("=Q", _registers(tid)[0], 8 * number)[0]
    return value


def _registers(tid: int) -> tuple[Any, Any]:
    """The registers of a stopped task, and the `struct iovec` that says where they lie."""
    vector, registers = (ctypes.c_size_t * 2)(0, 0), ctypes.create_string_buffer(1024)
    vector[0], vector[1] = ctypes.addressof(registers), 1024
    _request(_GETREGSET, tid, _NT_PRSTATUS, ctypes.addressof(vector))
    return registers, vector


# --- the filter -------------------------------------------------------------------------------------

_LOAD, _JUMP_EQUAL, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_NUMBER, _ARCH = 0, 4
_MMAP_FLAGS, _MMAP_FD = 16 + 8 * 3, 16 + 8 * 4
_MAP_SHARED, _NO_FD = 1, 0xFFFFFFFF


def filter_program(names: Iterable[str], machine: str = MACHINE) -> bytes:
    """A classic BPF program that stops before these calls; of `mmap`, only those that show an object.

    A call in another architecture's numbering (a 32-bit program) stops too: the tracer says so.
    """
    code = [(_LOAD, 0, 0, _ARCH), (_JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]), (_RETURN, 0, 0, _TRACE)]
    code.append((_LOAD, 0, 0, _NUMBER))
    numbers = {number(name, machine) for name in names} - {None, number("mmap", machine)}
    for nr in sorted(n for n in numbers if n is not None):
        code += [(_JUMP_EQUAL, 0, 1, nr), (_RETURN, 0, 0, _TRACE)]
    if "mmap" in names:
        code += [(_JUMP_EQUAL, 0, 5, number("mmap", machine) or 0), (_LOAD, 0, 0, _MMAP_FLAGS)]
        code += [(_JUMP_BITS, 2, 0, _MAP_SHARED), (_LOAD, 0, 0, _MMAP_FD), (_JUMP_EQUAL, 1, 0, _NO_FD)]
        code.append((_RETURN, 0, 0, _TRACE))
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
_ADDR_NO_RANDOMIZE = 0x0040000


def install_filter(program: bytes) -> None:
    """Put this process, and all it will ever start, under the filter. There is no way back."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.create_string_buffer(header, len(header)), 0, 0))


def fix_addresses() -> None:
    """Have the next program in this process laid out at the same addresses every time (personality(2)).

    Some sandboxes forbid it; addresses then differ from run to run, and nothing else does.
    """
    _libc.personality(_ADDR_NO_RANDOMIZE)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent(signal: int = 9) -> None:
    """Be killed when the parent thread ends (PR_SET_PDEATHSIG)."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0))


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
