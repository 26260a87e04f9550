"""A system call as a teacher would write it: `write(4, "hello", 5) = 5`, `read(3) = 0 (the end)`.

`Decoder.text` is given a call with its numbers, and looks into the memory of the process that made it.
Whatever changes from run to run is written by a name: shm-1, sem-2, key-1, port-1, the process's name.
Flags, signals and errors are written by the names in the manual pages.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Callable, Iterator
from typing import TypeAlias

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.conductor.times import is_absolute
from labkit.decode.plain import (
    HIDDEN,
    MOST,
    PLAIN,
    UNSEEN,
    error_text,
    friendly,
    gathered,
    has_out,
    kernel_ports,
    passed_descriptors,
    quoted,
    sembuf_text,
    shortly,
    shown_bytes,
    shown_name,
    sigset_text,
    unix_address,
    wait_status,
)
from labkit.kernel import flags, peek
from labkit.kernel.peek import c_string, content, words
from labkit.words import signal_name

__all__ = ["Decoder", "friendly"]


_Shows: TypeAlias = Callable[[Task, Made, int, bool], str | None]
"""Writes one argument of a call, before it happens or when it is done; None: it is not shown."""


def _number(task: Task, call: Made, index: int, done: bool) -> str:
    return str(call.args[index])


class Decoder:
    """Writes calls as text, with names that stay the same throughout one recording."""

    def __init__(self, process_name: Callable[[int], str | None]) -> None:
        self._process_name = process_name
        self._symbols: dict[tuple[str, int], str] = {}
        self._counts: dict[str, int] = {}
        self._functions: dict[str, list[tuple[int, _Shows]]] = {}
        self.created: list[tuple[str, int]] = []
        """System V objects whose ids were seen: (`shm`, id)."""

    # --- whole sentences -----------------------------------------------------------------------

    def before(self, task: Task, call: Made) -> str:
        """What can only be read before the call has happened: its arguments."""
        return f"{shown_name(task, call)}({', '.join(self._arguments(task, call, done=False))})"

    def after(self, task: Task, call: Made, asked: str) -> str:
        """The call with its result; `asked` is what `before` gave."""
        assert call.result is not None
        if -4096 < call.result < 0:
            return f"{asked} = -1 {error_text(-call.result)}"
        if has_out(call):
            asked = f"{shown_name(task, call)}({', '.join(self._arguments(task, call, done=True))})"
        return f"{asked}{self._result(task, call)}"

    def signal(self, number: int, sender: int | None, effect: str) -> str:
        """What a signal does: `gets SIGUSR1 from parent, handler runs`."""
        whom = f" from {self.process(sender)}" if sender else ""
        what = {"handler": "handler runs", "ends": "which ends it", "stops": "and stops"}[effect]
        return f"gets {signal_name(number)}{whom}, {what}"

    def process(self, pid: int) -> str:
        """A process's name; of one that is not in the film, `process-1`."""
        return self._process_name(pid) or self.symbol("process", pid)

    def symbol(self, kind: str, value: int) -> str:
        """A name for a number that differs from run to run."""
        if (kind, value) not in self._symbols:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._symbols[kind, value] = f"{kind}-{self._counts[kind]}"
        return self._symbols[kind, value]

    def ended(self, status: int) -> str:
        """How a process ended, from waitpid's status."""
        if os.WIFSIGNALED(status):
            core = " (core dumped)" if os.WCOREDUMP(status) else ""
            return f"is ended by {signal_name(os.WTERMSIG(status))}{core}"
        return f"exits {os.WEXITSTATUS(status)}"

    # --- arguments -----------------------------------------------------------------------------

    def _arguments(self, task: Task, call: Made, done: bool) -> list[str]:
        functions = self._functions.get(call.name)
        if functions is None:
            functions = self._functions[call.name] = list(self._functions_of(call))
        texts = [function(task, call, index, done) for index, function in functions]
        return [text for text in texts if text is not HIDDEN]

    def _functions_of(self, call: Made) -> Iterator[tuple[int, _Shows]]:
        """For each argument that is shown: its place, and what writes it."""
        for index, word in enumerate(call.spec.args):
            if word not in UNSEEN:
                yield index, getattr(self, f"_a_{word}", None) or PLAIN.get(word) or _number

    def _a_fd(self, task: Task, call: Made, index: int, done: bool) -> str:
        return str(signed32(call.args[index]))

    def _a_pid(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid = signed32(call.args[index])
        return "0" if pid == 0 else self.process(pid)

    def _a_killpid(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid = signed32(call.args[index])
        if pid > 0:
            return self.process(pid)
        return "own group" if pid == 0 else "everybody" if pid == -1 else f"group of {self.process(-pid)}"

    def _a_waitfor(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid = signed32(call.args[index])
        if pid > 0:
            return self.process(pid)
        return "any child" if pid == -1 else "own group" if pid == 0 else f"group of {self.process(-pid)}"

    def _a_waitid(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self.process(call.args[index]) if call.args[index - 1] == 1 else HIDDEN

    def _a_in(self, task: Task, call: Made, index: int, done: bool) -> str:
        size = call.args[index + 1]
        return quoted(content(task.process.pid, call.args[index], min(size, MOST + 1)), MOST)

    def _a_iniov(self, task: Task, call: Made, index: int, done: bool) -> str:
        return quoted(gathered(task.process.pid, call.args[index], call.args[index + 1]), MOST)

    def _a_inmsg(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._message_header(task, call.args[index], None)

    def _a_outmsg(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not done:
            return HIDDEN
        return self._message_header(task, call.args[index], call.result)

    def _message_header(self, task: Task, address: int, size: int | None) -> str:
        pid = task.process.pid
        header = words(pid, address, 7)
        if len(header) < 7:
            return "?"
        name, name_size, iov, count, control, control_size, _flags = header
        text = quoted(gathered(pid, iov, count, size), MOST)
        if name:
            text += f", to {self.address(content(pid, name, name_size & 0xFFFFFFFF))}" if size is None else ""
        passed = passed_descriptors(content(pid, control, min(control_size, 4096)))
        return f"{text}, with descriptors {passed}" if passed else text

    def _a_path(self, task: Task, call: Made, index: int, done: bool) -> str:
        if not call.args[index]:
            return "NULL"
        return quoted(shortly(c_string(task.process.pid, call.args[index])), 200)

    def _a_string(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._string(task, call.args[index])

    def _a_mqname(self, task: Task, call: Made, index: int, done: bool) -> str:
        return quoted(b"/" + c_string(task.process.pid, call.args[index]), 200)

    def _string(self, task: Task, address: int) -> str:
        return quoted(c_string(task.process.pid, address), 200) if address else "NULL"

    def _a_argv(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid, found = task.process.pid, []
        for pointer in words(pid, call.args[index], 20):
            if not pointer:
                break
            found.append(quoted(c_string(pid, pointer), 40))
        return f"[{', '.join(found)}]"

    def _a_newfds(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not done or call.result != 0:
            return HIDDEN
        return f"[{', '.join(str(v) for v in words(task.process.pid, call.args[index], 2, 4))}]"

    def _a_addr(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.place(task, call.args[index])

    def place(self, task: Task, address: int) -> str:
        """An address by what lies there: `shm-1 + 16`; one of private memory by a name of its own."""
        if not address:
            return "NULL"
        found = peek.mapping(task.process.pid, address)
        label = self._label(found) if found else None
        if found is None or label is None:
            return self.symbol("address", address)
        offset = address - found.start + found.offset
        return f"{label} + {offset}" if offset else label

    def _label(self, found: peek.Region) -> str | None:
        """What a shared or file mapping shows; None for private memory."""
        path = found.path.removesuffix(" (deleted)")
        if path.startswith("/SYSV"):
            return self.symbol("shm", found.inode)
        if path == "/dev/zero":
            return self.symbol("memory", found.inode)
        if path.startswith("/dev/shm/sem."):
            return f"sem /{path[13:]}"
        if path.startswith("/dev/shm/"):
            return path[8:]
        if path.startswith("/memfd:"):
            return f"memfd {path[7:]}"
        return os.path.basename(path) if path.startswith("/") else None

    def _a_shmid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._ipc("shm", call.args[index])

    def _a_semid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._ipc("sem", call.args[index])

    def _a_msqid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._ipc("msg", call.args[index])

    def _ipc(self, kind: str, value: int) -> str:
        number = signed32(value)
        return str(number) if number < 0 else self.symbol(kind, number)

    def _a_key(self, task: Task, call: Made, index: int, done: bool) -> str:
        key = call.args[index] & 0xFFFFFFFF
        return "IPC_PRIVATE" if key == 0 else self.symbol("key", key)

    def _a_sembuf(self, task: Task, call: Made, index: int, done: bool) -> str:
        count = min(call.args[index + 1], 500)
        data = content(task.process.pid, call.args[index], 6 * count)
        return (
            "["
            + ", ".join(sembuf_text(*struct.unpack("=Hhh", data[i : i + 6])) for i in range(0, len(data), 6))
            + "]"
        )

    def _a_semarg(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        command = call.args[2] & 0xFF
        if command == 16:
            return str(signed32(call.args[index]))
        if command == 17:
            return "…"
        return HIDDEN

    def _a_msgbuf(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid, address = task.process.pid, call.args[index]
        kind = struct.unpack("=q", content(pid, address, 8).ljust(8, b"\0"))[0]
        text = quoted(content(pid, address + 8, min(call.args[index + 1], MOST + 1)), MOST)
        return f"type {kind}, {text}"

    def _a_sockaddr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not call.args[index]:
            return HIDDEN
        return self.address(content(task.process.pid, call.args[index], min(call.args[index + 1], 128)))

    def _a_outaddr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not done or not call.args[index] or not call.args[index + 1]:
            return HIDDEN
        size = (words(task.process.pid, call.args[index + 1], 1, 4) or [0])[0]
        return (
            self.address(content(task.process.pid, call.args[index], min(size, 128))) if size > 2 else HIDDEN
        )

    def address(self, data: bytes) -> str:
        """A socket address: a path, `@name`, or host and port."""
        family = int.from_bytes(data[:2], "little")
        if family == 1:
            return unix_address(data[2:])
        if family == 2 and len(data) >= 8:
            return f"{ipaddress.IPv4Address(data[4:8])}:{self.port(int.from_bytes(data[2:4], 'big'))}"
        if family == 10 and len(data) >= 24:
            return f"[{ipaddress.IPv6Address(data[8:24])}]:{self.port(int.from_bytes(data[2:4], 'big'))}"
        return flags.FAMILIES.get(family, f"family {family}")

    def port(self, number: int) -> str:
        """A port; one that the kernel chose is written by a name."""
        low, high = kernel_ports()
        return self.symbol("port", number) if low <= number <= high else str(number)

    def _a_pollfds(self, task: Task, call: Made, index: int, done: bool) -> str:
        data = content(task.process.pid, call.args[index], 8 * min(call.args[index + 1], 64))
        entries = [struct.unpack("=ihh", data[i : i + 8]) for i in range(0, len(data) - 7, 8)]
        if done:
            return (
                "["
                + ", ".join(f"{fd}: {flags.names(got, flags.POLL)}" for fd, _, got in entries if got)
                + "]"
            )
        return "[" + ", ".join(f"{fd}: {flags.names(asked, flags.POLL)}" for fd, asked, _ in entries) + "]"

    def _a_fdset(self, task: Task, call: Made, index: int, done: bool) -> str:
        if not call.args[index]:
            return "NULL"
        count = min(call.args[0], 1024)
        bits = int.from_bytes(content(task.process.pid, call.args[index], (count + 63) // 64 * 8), "little")
        return "{" + ", ".join(str(fd) for fd in range(count) if bits >> fd & 1) + "}"

    def _a_epollevent(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        data = content(task.process.pid, call.args[index], 4)
        return flags.names(int.from_bytes(data, "little"), flags.EPOLL) if data else HIDDEN

    def _a_sigset(self, task: Task, call: Made, index: int, done: bool) -> str:
        return sigset_text(content(task.process.pid, call.args[index], 8)) if call.args[index] else "NULL"

    def _a_sigaction(self, task: Task, call: Made, index: int, done: bool) -> str:
        handler, bits = (*words(task.process.pid, call.args[index], 2), 0, 0)[:2]
        word = {0: "SIG_DFL", 1: "SIG_IGN"}.get(handler, "a handler")
        named = flags.names(bits & ~0x04000000, flags.SIGACTION)
        return word if named == "0" else f"{word}, {named}"

    def _a_timespec(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self._time(task, call, index, 1e9)

    def _a_timeval(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self._time(task, call, index, 1e6)

    def _time(self, task: Task, call: Made, index: int, unit: float) -> str | None:
        parts = words(task.process.pid, call.args[index], 2) if call.args[index] else []
        if len(parts) < 2:
            return HIDDEN
        seconds = parts[0] + parts[1] / unit
        if is_absolute(call):
            return "a set time"  # how far off it is depends on the machine, and a film does not
        return f"{seconds:g} s"

    def _a_itimerval(self, task: Task, call: Made, index: int, done: bool) -> str:
        interval_s, interval_us, value_s, value_us = (
            *words(task.process.pid, call.args[index], 4),
            0,
            0,
            0,
            0,
        )[:4]
        first, every = value_s + value_us / 1e6, interval_s + interval_us / 1e6
        return f"after {first:g} s, every {every:g} s" if every else f"after {first:g} s"

    def _a_itimerspec(self, task: Task, call: Made, index: int, done: bool) -> str:
        interval_s, interval_ns, value_s, value_ns = (
            *words(task.process.pid, call.args[index], 4),
            0,
            0,
            0,
            0,
        )[:4]
        first, every = value_s + value_ns / 1e9, interval_s + interval_ns / 1e9
        return f"after {first:g} s, every {every:g} s" if every else f"after {first:g} s"

    def _a_futex(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.place(task, call.args[index])

    def _a_status(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return HIDDEN

    # --- results -------------------------------------------------------------------------------

    def _result(self, task: Task, call: Made) -> str:
        result, word = call.result or 0, call.spec.result
        function = getattr(self, f"_r_{word}", None)
        if function:
            text: str = function(task, call, result)
            return f" = {text}" if text else ""
        return f" = {result}"

    def _r_none(self, task: Task, call: Made, result: int) -> str:
        return ""

    def _r_bytes(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return "0 (the end)" if call.name in ("read", "readv", "recvfrom", "recvmsg") else "0"
        pid, address = task.process.pid, call.args[1]
        if call.spec.args[1] == "outiov":
            return f"{result} {shown_bytes(gathered(pid, address, call.args[2], result))}"
        return f"{result} {shown_bytes(content(pid, address, min(result, MOST + 1)))}"

    def _r_message(self, task: Task, call: Made, result: int) -> str:
        pid, address = task.process.pid, call.args[1]
        kind = struct.unpack("=q", content(pid, address, 8).ljust(8, b"\0"))[0]
        return f"{result} type {kind}, {shown_bytes(content(pid, address + 8, min(result, MOST + 1)))}"

    def _r_pid(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return "0 (none has ended yet)" if call.name == "wait4" else "0"
        if call.name != "wait4":
            return self.process(result)
        status = words(task.process.pid, call.args[1], 1, 4)
        return f"{self.process(result)}, {wait_status(status[0])}" if status else self.process(result)

    def _r_addr(self, task: Task, call: Made, result: int) -> str:
        return self.place(task, result)

    def _r_shmid(self, task: Task, call: Made, result: int) -> str:
        return self._made("shm", result)

    def _r_semid(self, task: Task, call: Made, result: int) -> str:
        return self._made("sem", result)

    def _r_msqid(self, task: Task, call: Made, result: int) -> str:
        return self._made("msg", result)

    def _made(self, kind: str, number: int) -> str:
        if (kind, number) not in self.created:
            self.created.append((kind, number))
        return self.symbol(kind, number)

    def _r_sig(self, task: Task, call: Made, result: int) -> str:
        return signal_name(result)

    def _r_epoll(self, task: Task, call: Made, result: int) -> str:
        return f"{result}"

    def _r_int(self, task: Task, call: Made, result: int) -> str:
        if call.name == "semctl" and call.args[2] & 0xFF == 11 and result:
            return self.process(result)
        return str(result)
