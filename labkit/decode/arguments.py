"""The arguments of calls in words: how each word of the table in `labkit/kernel/calls.py` is written.

A method `_a_WORD` writes an argument that needs a name that stays, or more than its own number; the rest is
in `plain.py`. What a call fills is looked at again when it is done.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import TypeAlias

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.conductor.times import is_absolute
from labkit.decode.names import Names
from labkit.decode.plain import (
    HIDDEN,
    MOST,
    PLAIN,
    UNSEEN,
    controls,
    friendly,
    gathered,
    quoted,
    sembuf_text,
    sigset_text,
    span,
)
from labkit.decode.special import carried
from labkit.kernel import flags, sysv
from labkit.kernel.peek import c_string, content, words
from labkit.words import count, signal_name

_Shows: TypeAlias = Callable[[Task, Made, int, bool], str | None]
"""Writes one argument of a call, before it happens or when it is done; None: it is not shown."""
_NOT_HOW = 0o100000 | os.O_CLOEXEC
"""O_LARGEFILE, which Python does not know here, and what has nothing to do with making a file."""
_OPENS, _MAKES = ("open", "openat"), ("link", "linkat", "mkdir", "mkdirat")
_SETVAL, _SETALL = 16, 17
_WAITERS, _OWNER = 1 << 31, (1 << 30) - 1
"""Bits of a lock's word that say that others wait, and who holds it (futex(2))."""
_ALL = 0x7FFFFFFF


def _number(task: Task, call: Made, index: int, done: bool) -> str:
    return str(call.args[index])


class Arguments(Names):
    """Writes arguments."""

    def __init__(self, process_name: Callable[[int], str | None]) -> None:
        super().__init__(process_name)
        self._functions: dict[str, list[tuple[int, _Shows]]] = {}

    def arguments(self, task: Task, call: Made, done: bool) -> str:
        """All that are shown, as they stand between the brackets."""
        functions = self._functions.get(call.name)
        if functions is None:
            functions = self._functions[call.name] = list(self._functions_of(call))
        texts = [function(task, call, index, done) for index, function in functions]
        return ", ".join([text for text in texts if text is not HIDDEN])

    def _functions_of(self, call: Made) -> Iterator[tuple[int, _Shows]]:
        """For each argument that is shown: its place, and what writes it."""
        for index, word in enumerate(call.spec.args):
            if word not in UNSEEN:
                yield index, getattr(self, f"_a_{word}", None) or PLAIN.get(word) or _number

    # --- descriptors, processes ----------------------------------------------------------------

    def _a_fd(self, task: Task, call: Made, index: int, done: bool) -> str:
        return str(signed32(call.args[index]))

    def _a_pid(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid = signed32(call.args[index])
        return "0" if pid == 0 else self.process(pid)

    def _a_otherpid(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self.process(call.args[index]) if call.args[index] else HIDDEN

    def _a_tracee(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self.process(call.args[index]) if call.args[index - 1] else HIDDEN

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
        kind, value = call.args[index - 1], call.args[index]
        if kind in (1, 2):
            return self.process(value)
        return str(value) if kind == 3 else HIDDEN

    def _a_newfds(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not done or call.result != 0:
            return HIDDEN
        return f"[{', '.join(str(v) for v in words(task.process.pid, call.args[index], 2, 4))}]"

    # --- bytes, strings ------------------------------------------------------------------------

    def _a_in(self, task: Task, call: Made, index: int, done: bool) -> str:
        size = call.args[index + 1]
        data = content(task.process.pid, call.args[index], min(size, MOST + 1))
        return self.carried(task, call, data, size) or quoted(self.told(data), MOST)

    def carried(self, task: Task, call: Made, data: bytes, size: int) -> str | None:
        """What bytes say that come from or go to a descriptor of a special sort."""
        leads = self.leads(task, signed32(call.args[0]))
        return carried(leads, data, size, self.process) if leads[:1] in ("a", "/") else None

    def _a_iniov(self, task: Task, call: Made, index: int, done: bool) -> str:
        return quoted(gathered(task.process.pid, call.args[index], call.args[index + 1]), MOST)

    def _a_inmsg(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._message_header(task, call.args[index], None)

    def _a_outmsg(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self._message_header(task, call.args[index], call.result) if done else HIDDEN

    def _message_header(self, task: Task, address: int, size: int | None) -> str:
        pid = task.process.pid
        header = words(pid, address, 7)
        if len(header) < 7:
            return "?"
        name, name_size, iov, many, control, control_size, bits = header
        texts = [quoted(gathered(pid, iov, many, size), MOST)]
        if name and name_size & 0xFFFFFFFF:
            other = self.address(content(pid, name, name_size & 0xFFFFFFFF))
            texts.append(f"{'to' if size is None else 'from'} {other}")
        passed, credentials = controls(content(pid, control, min(control_size, 4096)))
        texts += [f"with descriptors {passed}"] if passed else []
        texts += [f"with credentials of {self.process(sender)}" for sender in credentials]
        cut = flags.names(bits & 0x28, flags.MESSAGES) if size is not None else "0"
        return ", ".join([*texts, cut] if cut != "0" else texts)

    def _a_path(self, task: Task, call: Made, index: int, done: bool) -> str:
        if not call.args[index]:
            return "NULL"
        data = c_string(task.process.pid, call.args[index])
        if call.name in _OPENS:
            self.note_new(data, call.args[index + 1] & ~_NOT_HOW, call.args[index + 2] == 0o600)
        elif call.name in _MAKES:
            self.note_new(data, private=call.name[:5] == "mkdir" and call.args[index + 1] == 0o700)
        return self.path(data)

    def _a_string(self, task: Task, call: Made, index: int, done: bool) -> str:
        address = call.args[index]
        return quoted(c_string(task.process.pid, address), 200) if address else "NULL"

    def _a_mqname(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.path(b"/" + c_string(task.process.pid, call.args[index]))

    def _a_argv(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid, found = task.process.pid, []
        for pointer in words(pid, call.args[index], 20):
            if not pointer:
                break
            found.append(quoted(self.told(c_string(pid, pointer)), 40))
        return f"[{', '.join(found)}]"

    # --- memory --------------------------------------------------------------------------------

    def _a_addr(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.place(task, call.args[index])

    _a_futex = _a_addr

    def _a_newaddr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self.place(task, call.args[index]) if call.args[index - 1] & 2 else HIDDEN

    def _a_futexval(self, task: Task, call: Made, index: int, done: bool) -> str:
        """What the word must be for the wait; in locks of the C library that is the thread that holds it."""
        operation, value = call.args[1], call.args[index] & 0xFFFFFFFF
        if operation & 127 not in (0, 9):
            return "all" if value == _ALL else str(signed32(value))
        if value & _WAITERS and value & _OWNER:
            return f"{self.process(value & _OWNER)}|FUTEX_WAITERS"
        other = task.process.tasks.get(value)
        return other.who if other is not None and not operation & 128 else str(signed32(value))

    # --- System V, queues ----------------------------------------------------------------------

    def _a_shmid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.ipc("shm", call.args[index])

    def _a_semid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.ipc("sem", call.args[index])

    def _a_msqid(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.ipc("msg", call.args[index])

    def _a_key(self, task: Task, call: Made, index: int, done: bool) -> str:
        key = call.args[index] & 0xFFFFFFFF
        return "IPC_PRIVATE" if key == 0 else self.symbol("key", key)

    def _a_sembuf(self, task: Task, call: Made, index: int, done: bool) -> str:
        data = content(task.process.pid, call.args[index], 6 * min(call.args[index + 1], 500))
        operations = struct.iter_unpack("=Hhh", data[: len(data) // 6 * 6])
        return f"[{', '.join(sembuf_text(*operation) for operation in operations)}]"

    def _a_semarg(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        command = call.args[2] & 0xFF
        if command == _SETVAL:
            return str(signed32(call.args[index]))
        return self.semaphores(task, call) if command == _SETALL else HIDDEN

    def semaphores(self, task: Task, call: Made) -> str:
        """The array of values that SETALL gives and GETALL gets."""
        semid = signed32(call.args[0])
        many = next((row.semaphores for row in sysv.semaphore_sets() if row.semid == semid), 0)
        return str(words(task.process.pid, call.args[3], min(many, 250), 2))

    def _a_msgbuf(self, task: Task, call: Made, index: int, done: bool) -> str:
        pid, address = task.process.pid, call.args[index]
        kind = struct.unpack("=q", content(pid, address, 8).ljust(8, b"\0"))[0]
        text = quoted(content(pid, address + 8, min(call.args[index + 1], MOST + 1)), MOST)
        return f"type {kind}, {text}"

    def _a_mqattr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        attributes = words(task.process.pid, call.args[index], 3) if call.args[1] & os.O_CREAT else []
        if len(attributes) < 3:
            return HIDDEN
        return f"{count(attributes[1], 'message')} of {count(attributes[2], 'byte')}"

    # --- sockets -------------------------------------------------------------------------------

    def _a_sockaddr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not call.args[index]:
            return HIDDEN
        data = content(task.process.pid, call.args[index], min(call.args[index + 1], 128))
        if call.name == "bind":
            self.note_new(data[2:].rstrip(b"\0"))
        return self.address(data)

    def _a_outaddr(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        if not done or not call.args[index] or not call.args[index + 1]:
            return HIDDEN
        size = (words(task.process.pid, call.args[index + 1], 1, 4) or [0])[0]
        data = content(task.process.pid, call.args[index], min(size, 128))
        return self.address(data) if size > 2 else HIDDEN

    def _a_sockval(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.option(call, content(task.process.pid, call.args[index], min(call.args[index + 1], 64)))

    def option(self, call: Made, data: bytes) -> str:
        """The value of a socket option."""
        name = flags.SOCKET_OPTIONS.get((call.args[1], call.args[2]), "")
        if name == "SO_PEERCRED":
            return self.process(int.from_bytes(data[:4], "little"))
        if name.endswith("TIMEO") and len(data) == 16:
            seconds, microseconds = struct.unpack("=qq", data)
            return span(seconds + microseconds / 1e6)
        if len(data) == 8 and name == "SO_LINGER":
            on, seconds = struct.unpack("=ii", data)
            return f"{seconds} s" if on else "off"
        return str(int.from_bytes(data, "little", signed=True)) if len(data) in (1, 4) else quoted(data, MOST)

    def _a_pollfds(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self.polled(task, call, 1)

    def polled(self, task: Task, call: Made, which: int) -> str:
        """An array of `struct pollfd`: what is asked of each (1), or what there is (2)."""
        data = content(task.process.pid, call.args[0], 8 * min(call.args[1], 64))
        entries = struct.iter_unpack("=iHH", data[: len(data) // 8 * 8])
        told = [(entry[0], entry[which]) for entry in entries if which == 1 or entry[2]]
        return f"[{', '.join(f'{fd}: {flags.names(events, flags.POLL)}' for fd, events in told)}]"

    def _a_fdset(self, task: Task, call: Made, index: int, done: bool) -> str:
        if not call.args[index]:
            return "NULL"
        many = min(call.args[0], 1024)
        bits = int.from_bytes(content(task.process.pid, call.args[index], (many + 63) // 64 * 8), "little")
        return "{" + ", ".join(str(fd) for fd in range(many) if bits >> fd & 1) + "}"

    def _a_epollevent(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        data = content(task.process.pid, call.args[index], 4) if call.args[1] != 2 else b""
        return flags.names(int.from_bytes(data, "little"), flags.EPOLL) if data else HIDDEN

    # --- signals, time -------------------------------------------------------------------------

    def _a_sigset(self, task: Task, call: Made, index: int, done: bool) -> str:
        return sigset_text(content(task.process.pid, call.args[index], 8)) if call.args[index] else "NULL"

    def _a_sigaction(self, task: Task, call: Made, index: int, done: bool) -> str:
        handler, bits = (*words(task.process.pid, call.args[index], 2), 0, 0)[:2]
        word = {0: "SIG_DFL", 1: "SIG_IGN"}.get(handler, "a handler")
        named = flags.names(bits & ~0x04000000, flags.SIGACTION)
        return word if named == "0" else f"{word}, {named}"

    def _a_sigval(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        data = content(task.process.pid, call.args[index], 28)
        return str(int.from_bytes(data[24:28], "little", signed=True)) if len(data) == 28 else HIDDEN

    def _a_sigevent(self, task: Task, call: Made, index: int, done: bool) -> str:
        data = content(task.process.pid, call.args[index], 16)
        if len(data) < 16:
            return "NULL"
        number, kind = struct.unpack_from("=ii", data, 8)
        return {0: signal_name(number), 1: "SIGEV_NONE"}.get(kind, "a thread")

    _a_mqnotify = _a_sigevent

    def _a_timespec(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self._time(task, call, index, 1e9)

    def _a_timeval(self, task: Task, call: Made, index: int, done: bool) -> str | None:
        return self._time(task, call, index, 1e6)

    def _time(self, task: Task, call: Made, index: int, unit: float) -> str | None:
        parts = words(task.process.pid, call.args[index], 2) if call.args[index] else []
        in_ms = friendly(call) == "poll"
        if len(parts) < 2:
            return "no limit" if in_ms else HIDDEN
        seconds = parts[0] + parts[1] / unit
        if is_absolute(call):
            return "a set time"  # how far off it is depends on the machine, and a film does not
        return f"{round(seconds * 1000)} ms" if in_ms else span(seconds)

    def _a_itimerval(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._timer(task, call, index, 1e6)

    def _a_itimerspec(self, task: Task, call: Made, index: int, done: bool) -> str:
        return self._timer(task, call, index, 1e9)

    def _timer(self, task: Task, call: Made, index: int, unit: float) -> str:
        """A timer's interval and first time, which stand in this order."""
        parts = (*words(task.process.pid, call.args[index], 4), 0, 0, 0, 0)[:4]
        every, first = parts[0] + parts[1] / unit, parts[2] + parts[3] / unit
        if not first:
            return "off"
        when = "at a set time" if call.name != "setitimer" and call.args[1] & 1 else f"after {span(first)}"
        return f"{when}, every {span(every)}" if every else when
