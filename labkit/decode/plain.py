"""Arguments and results that read the same whoever calls: flags, choices, sizes, structures."""

from __future__ import annotations

import errno
import os
import stat as stats
import struct
from collections.abc import Callable
from functools import lru_cache

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.kernel import flags
from labkit.kernel.calls import CALLS
from labkit.kernel.peek import content, words
from labkit.words import content as _quoted
from labkit.words import place, shortened, signal_name

MOST = 60
"""Bytes of a buffer that are shown."""
HIDDEN = None
"""An argument that is not shown."""


@lru_cache(2000)
def quoted(data: bytes, most: int) -> str:
    """As `words.content`; the zero that ends a string in C is written, too: `"three\\0"`."""
    text = _quoted(data, most)
    if data[-1:] == b"\0" and b"\0" not in data[:-1] and 1 < len(data) <= most:
        before = _quoted(data[:-1], most)
        return f'{before[:-1]}\\0"' if before.startswith('"') else text
    return text


def _signal_argument(task: Task, call: Made, index: int, done: bool) -> str:
    number = signed32(call.args[index])
    return "0 (only asks)" if number == 0 else signal_name(number)


def _flag_argument(table: dict[str, int]) -> Callable[[Task, Made, int, bool], str | None]:
    def text(task: Task, call: Made, index: int, done: bool) -> str | None:
        named = flags.names(call.args[index] & 0xFFFFFFFF, table)
        return HIDDEN if named == "0" else named

    return text


def _choice_argument(table: dict[int, str]) -> Callable[[Task, Made, int, bool], str | None]:
    def text(task: Task, call: Made, index: int, done: bool) -> str | None:
        value = signed32(call.args[index])
        return table.get(value, str(value))

    return text


def _hidden(task: Task, call: Made, index: int, done: bool) -> str | None:
    return HIDDEN


def _open_flags(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = call.args[index] & 0xFFFFFFFF
    if call.name in ("pipe2", "dup3"):
        named = flags.names(value, flags.OPEN)
        return HIDDEN if named == "0" else named
    access = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")[value & 3]
    rest = flags.names(value & ~3 & ~0o100000, flags.OPEN)
    return access if rest == "0" else f"{access}|{rest}"


def _mode(task: Task, call: Made, index: int, done: bool) -> str | None:
    if call.spec.args[index - 1] == "open" and not call.args[index - 1] & os.O_CREAT:
        return HIDDEN
    return f"0{call.args[index] & 0o7777:03o}"


def _mknod(task: Task, call: Made, index: int, done: bool) -> str | None:
    mode = call.args[index]
    kind = {stats.S_IFIFO: "S_IFIFO", stats.S_IFSOCK: "S_IFSOCK", stats.S_IFREG: "S_IFREG"}
    return f"{kind.get(stats.S_IFMT(mode), oct(stats.S_IFMT(mode)))}|0{mode & 0o7777:03o}"


def _ipc_flags(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = call.args[index]
    named = flags.names(value & ~0o777, flags.IPC)
    mode = f"0{value & 0o777:03o}" if value & 0o777 else ""
    return "|".join(word for word in (named if named != "0" else "", mode) if word) or "0"


def _clone(task: Task, call: Made, index: int, done: bool) -> str | None:
    if shown_name(task, call) != "clone":
        return HIDDEN
    bits, signal = _clone_flags(task, call)
    words = [flags.names(bits & ~flags.CLONE_NUMBERS, flags.CLONE)] if bits & ~flags.CLONE_NUMBERS else []
    return "|".join([*words, signal_name(signal)] if signal else words) or "0"


def _ms(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = signed32(call.args[index])
    return "no limit" if value < 0 else f"{value} ms"


def _offset(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = call.args[index]
    value -= (1 << 64) if value >> 63 else 0
    return HIDDEN if call.name == "mmap" and value == 0 else str(value)


def _size(task: Task, call: Made, index: int, done: bool) -> str | None:
    return HIDDEN if call.spec.args[index - 1] == "out" else str(call.args[index])


def _int(task: Task, call: Made, index: int, done: bool) -> str | None:
    if call.spec.args[index - 1] in ("outiov", "iniov", "iov", "sembuf", "pollfds"):  # a length
        return HIDDEN
    return str(signed32(call.args[index]))


def _dirfd(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = signed32(call.args[index])
    return HIDDEN if value == -100 else str(value)


def _fcntl_argument(task: Task, call: Made, index: int, done: bool) -> str | None:
    command, value = call.args[1], call.args[2]
    if command in (5, 6, 7, 36, 37, 38):
        return _lock(content(task.process.pid, value, 24).ljust(24, b"\0"))
    if command == 2:
        return flags.names(value, {"FD_CLOEXEC": 1})
    if command == 4:
        access = ("", "O_WRONLY", "O_RDWR", "O_ACCMODE")[value & 3]
        named = flags.names(value & ~3 & ~_LARGE_FILE, flags.OPEN)
        return "|".join(word for word in (access, named if named != "0" else "") if word) or "0"
    if command == 1033:
        return flags.names(value, flags.SEALS)
    if command == 1024:
        return _LOCKS.get(value, str(value))
    return str(signed32(value)) if command in (0, 1030, 1031, 8) else HIDDEN


_LARGE_FILE = 0o100000
_LOCKS = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}


def _lock(data: bytes) -> str:
    """A `struct flock`: `F_WRLCK, bytes 0 to 9`."""
    kind, whence, start, length = struct.unpack("=hh4xqq", data)
    if (whence, start, length) == (0, 0, 0):
        where = "the whole file"
    else:
        last = "the end" if not length else str(start + length - 1)
        where = (
            f"bytes {start} to {last}"
            + ("", ", counted from the position", ", counted from the end")[whence % 3]
        )
    return f"{_LOCKS.get(kind, kind)}, {where}"


def _socket_type(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = call.args[index]
    kind = flags.SOCKET_KINDS.get(value & 15, str(value & 15) if value & 15 else "")
    named = flags.names(value & ~15, flags.SOCKET_FLAGS)
    return "|".join(word for word in (kind, named if named != "0" else "") if word) or HIDDEN


def _last_fd(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = call.args[index] & 0xFFFFFFFF
    return "the last" if value >= 0x7FFFFFFF else str(value)


def _socket_option(task: Task, call: Made, index: int, done: bool) -> str | None:
    level, number = call.args[index], call.args[index + 1]
    return flags.SOCKET_OPTIONS.get((level, number), f"{level}, {number}")


def _limit(task: Task, call: Made, index: int, done: bool) -> str | None:
    parts = [
        "no limit" if v == (1 << 64) - 1 else str(v) for v in words(task.process.pid, call.args[index], 2)
    ]
    return HIDDEN if len(parts) < 2 else parts[0] if parts[0] == parts[1] else f"{parts[0]} of {parts[1]}"


def _queue_flags(task: Task, call: Made, index: int, done: bool) -> str | None:
    found = words(task.process.pid, call.args[index], 1)
    return flags.names(found[0], flags.OPEN) if found else HIDDEN


PLAIN: dict[str, Callable[[Task, Made, int, bool], str | None]] = {
    "sig": _signal_argument, "open": _open_flags, "mode": _mode, "mknod": _mknod, "ipcflags": _ipc_flags,
    "clone": _clone, "clone3": _clone, "ms": _ms, "offset": _offset, "size": _size, "int": _int,
    "dirfd": _dirfd, "fcntlarg": _fcntl_argument, "len": _hidden, "out": _hidden, "outiov": _hidden,
    "iov": _hidden, "siginfo": _hidden, "uintptr": _hidden, "ptr": _hidden,
    "futexptr": _hidden, "protocol": _hidden, "status": _hidden, "-": _hidden, "socktype": _socket_type,
    "lastfd": _last_fd, "sockopt": _socket_option, "rlimitval": _limit, "mqset": _queue_flags,
    **{word: _flag_argument(table) for word, table in flags.FLAG_SETS.items()},
    **{word: _choice_argument(table) for word, table in flags.CHOICES.items()},
}  # fmt: skip
UNSEEN = frozenset(word for word, function in PLAIN.items() if function is _hidden)
"""Words for arguments that are never shown."""


def shown_name(task: Task, call: Made) -> str:
    """The call's name as a programmer writes it."""
    if call.name not in ("clone", "clone3"):
        return friendly(call)
    bits, signal = _clone_flags(task, call)
    bits &= ~flags.CLONE_NUMBERS & ~_CLEAR_SIGHAND
    return {(0, 17): "fork", (_VFORK, 17): "vfork"}.get((bits, signal), "clone")


_BY_ARGUMENTS = frozenset(
    [*flags.PLAINER, "prlimit64", "mq_getsetattr", *(n for n, call in CALLS.items() if "dirfd" in call.args)]
)
"""Calls whose name in the C library depends on how they are made."""
_VFORK = 0x4100
_CLEAR_SIGHAND = 1 << 32
_AT_FDCWD, _AT_REMOVEDIR = -100, 0x200


def friendly(call: Made) -> str:
    """A call's name in the C library."""
    name, args = call.name, call.args
    if name not in _BY_ARGUMENTS:
        return flags.FRIENDLY.get(name, name)
    if any(word == "dirfd" and signed32(args[i]) != _AT_FDCWD for i, word in enumerate(call.spec.args)):
        return name
    if name in flags.PLAINER:
        plainer, index = flags.PLAINER[name]
        if not args[index]:
            return plainer
    if name == "unlinkat" and args[2] == _AT_REMOVEDIR:
        return "rmdir"
    if name == "prlimit64" and not args[0]:
        return "setrlimit" if args[2] else "getrlimit"
    if name == "mq_getsetattr":
        return "mq_setattr" if args[1] else "mq_getattr"
    return flags.FRIENDLY.get(name, name)


def _clone_flags(task: Task, call: Made) -> tuple[int, int]:
    """Its flags, and the signal that the parent gets at its child's end."""
    if call.name == "clone":
        return call.args[0] & ~0xFF, call.args[0] & 0xFF
    found = words(task.process.pid, call.args[0], 5)
    return (found[0], found[4]) if len(found) == 5 else (0, 0)


def has_out(call: Made) -> bool:
    """True: the call fills some of what its arguments point to."""
    return call.name in _FILLS


_OUTS = {"newfds", "outaddr", "outmsg"}
_FILLS = frozenset(name for name, call in CALLS.items() if _OUTS & set(call.args))


def span(seconds: float) -> str:
    """A time that a program asks for: `0.05 s`, `20 µs`."""
    if 0 < seconds < 1e-3:
        return f"{seconds * 1e9:g} ns" if seconds < 1e-6 else f"{seconds * 1e6:g} µs"
    return f"{seconds:g} s"


def error_text(number: int) -> str:
    return f"{errno.errorcode.get(number, number)} ({os.strerror(number)})"


def sembuf_text(number: int, operation: int, bits: int) -> str:
    named = flags.names(bits & 0xFFFF, flags.SEMBUF)
    text = f"{number}: {operation:+d}" if operation else f"{number}: wait for 0"
    return text if named == "0" else f"{text} {named}"


def sigset_text(data: bytes) -> str:
    bits = int.from_bytes(data, "little")
    inside = [n for n in range(1, 32) if bits >> (n - 1) & 1]
    if len(inside) > 24:
        outside = [signal_name(n) for n in range(1, 32) if not bits >> (n - 1) & 1 and n not in (9, 19)]
        return "all signals" + (f" but {' '.join(outside)}" if outside else "")
    more = [signal_name(n) for n in range(34, 65) if bits >> (n - 1) & 1]
    return "[" + " ".join([*(signal_name(n) for n in inside), *more[:4]]) + "]"


def wait_status(status: int) -> str:
    if os.WIFSTOPPED(status):
        return f"stopped by {signal_name(os.WSTOPSIG(status))}"
    if status == 0xFFFF:
        return "continued"
    if os.WIFSIGNALED(status):
        return f"ended by {signal_name(os.WTERMSIG(status))}"
    return f"exited {os.WEXITSTATUS(status)}"


def shown_bytes(data: bytes) -> str:
    text = quoted(data, MOST)
    return f"b'{text[1:-1]}'" if text.startswith('"') else text


def unix_address(path: bytes) -> str:
    if not path.strip(b"\0"):
        return "no name"
    if path[:1] == b"\0":
        return place("@" + path[1:].decode("utf-8", "backslashreplace"))
    return quoted(shortly(path.split(b"\0")[0]), 110)


def shortly(path: bytes) -> bytes:
    """A path without what is another in every notebook."""
    return shortened(path.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def controls(control: bytes) -> tuple[list[int], list[int]]:
    """What control messages carry: descriptors (SCM_RIGHTS), pids of senders (SCM_CREDENTIALS)."""
    descriptors: list[int] = []
    senders: list[int] = []
    while len(control) >= 16:
        size, level, kind = struct.unpack_from("=qii", control)
        if size < 16:
            break
        numbers = [number for (number,) in struct.iter_unpack("=i", control[16 : 16 + (size - 16) // 4 * 4])]
        if level == 1 and kind == 1:
            descriptors += numbers
        elif level == 1 and kind == 2:
            senders += numbers[:1]
        control = control[(size + 7) // 8 * 8 :]
    return descriptors, senders


def gathered(pid: int, address: int, count: int, size: int | None = None) -> bytes:
    """The first bytes of an array of `struct iovec`."""
    left = MOST + 1 if size is None else min(size, MOST + 1)
    found = b""
    pairs = words(pid, address, 2 * min(count, 64))
    for base, length in zip(pairs[0::2], pairs[1::2], strict=False):
        found += content(pid, base, min(length, left - len(found)))
        if len(found) >= left:
            break
    return found


def kernel_ports() -> tuple[int, int]:
    """Ports that the kernel gives out by itself."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            low, high = file.read().split()
    except OSError:
        return 32768, 60999
    return int(low), int(high)
