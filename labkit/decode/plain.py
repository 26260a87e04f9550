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


quoted = lru_cache(2000)(_quoted)
"""As `words.content`: programs say the same again and again."""


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
    if call.spec.result != "fd" or call.name in (
        "pipe2",
        "dup3",
        "timerfd_create",
        "signalfd4",
        "inotify_init1",
    ):
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
    return (
        HIDDEN
        if shown_name(task, call) in ("fork", "vfork")
        else flags.names(call.args[0] & ~0xFF, flags.CLONE)
    )


def _clone3(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = _clone_flags(task, call)
    return HIDDEN if shown_name(task, call) in ("fork", "vfork") else flags.names(value, flags.CLONE)


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
    if call.spec.args[index - 1] in ("outiov", "iniov", "iov", "sembuf", "pollfds"):
        return HIDDEN
    return str(signed32(call.args[index]))


def _dirfd(task: Task, call: Made, index: int, done: bool) -> str | None:
    value = signed32(call.args[index])
    return HIDDEN if value == -100 else str(value)


def _fcntl_argument(task: Task, call: Made, index: int, done: bool) -> str | None:
    command, value = call.args[1], call.args[2]
    if command in (5, 6, 7, 36, 37, 38):
        kind, whence, start, length = struct.unpack(
            "=hh4xqq", content(task.process.pid, value, 24).ljust(24, b"\0")
        )
        word = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}.get(kind, str(kind))
        where = (
            "the whole file"
            if (whence, start, length) == (0, 0, 0)
            else f"bytes {start} to " + (str(start + length - 1) if length else "the end")
        )
        return f"{word}, {where}"
    if command in (2, 4):
        return flags.names(value, {"FD_CLOEXEC": 1} if command == 2 else flags.OPEN)
    if command == 1033:
        return flags.names(value, flags.SEALS)
    return str(signed32(value)) if command in (0, 1030, 1031, 8) else HIDDEN


PLAIN: dict[str, Callable[[Task, Made, int, bool], str | None]] = {
    "sig": _signal_argument, "open": _open_flags, "mode": _mode, "mknod": _mknod, "ipcflags": _ipc_flags,
    "clone": _clone, "clone3": _clone3, "ms": _ms, "offset": _offset, "size": _size, "int": _int,
    "dirfd": _dirfd, "fcntlarg": _fcntl_argument, "len": _hidden, "out": _hidden, "outiov": _hidden,
    "iov": _hidden, "siginfo": _hidden, "uintptr": _hidden, "ptr": _hidden, "mqattr": _hidden,
    "mqnotify": _hidden, "futexptr": _hidden, "protocol": _hidden, "-": _hidden,
    **{word: _flag_argument(table) for word, table in flags.FLAG_SETS.items()},
    **{word: _choice_argument(table) for word, table in flags.CHOICES.items()},
}  # fmt: skip
UNSEEN = frozenset(word for word, function in PLAIN.items() if function is _hidden)
"""Words for arguments that are never shown."""


def shown_name(task: Task, call: Made) -> str:
    """The call's name as a programmer writes it."""
    if call.name in ("clone", "clone3"):
        bits = _clone_flags(task, call)
        if bits & 0x10000:
            return call.name
        return "vfork" if bits & 0x4000 else "fork" if not bits & 0x100 else "clone"
    return flags.FRIENDLY.get(call.name, call.name)


def friendly(call: Made) -> str:
    """A call's name in the C library."""
    return flags.FRIENDLY.get(call.name, call.name)


def _clone_flags(task: Task, call: Made) -> int:
    if call.name == "clone":
        return call.args[0]
    return (words(task.process.pid, call.args[0], 1) or [0])[0]


def has_out(call: Made) -> bool:
    """True: the call fills some of what its arguments point to."""
    return call.name in _FILLS


_OUTS = {"newfds", "outaddr", "outmsg", "pollfds", "fdset", "fcntlarg"}
_FILLS = frozenset(name for name, call in CALLS.items() if _OUTS & set(call.args))


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


def passed_descriptors(control: bytes) -> list[int]:
    """The descriptors that a control message carries (SCM_RIGHTS)."""
    found: list[int] = []
    while len(control) >= 16:
        size, level, kind = struct.unpack_from("=qii", control)
        if size < 16:
            break
        if level == 1 and kind == 1:
            found += struct.unpack(
                f"={(min(size, len(control)) - 16) // 4}i", control[16 : 16 + (size - 16) // 4 * 4]
            )
        control = control[(size + 7) // 8 * 8 :]
    return found


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
