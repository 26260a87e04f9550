"""The results of calls, in words: what is read, who ended, which descriptors are ready."""

from __future__ import annotations

import os
import socket
import struct

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.decode.arguments import Arguments
from labkit.decode.plain import MOST, error_text, gathered, shown_bytes, wait_status
from labkit.kernel import flags, syscalls
from labkit.kernel.files import parse_epoll_data
from labkit.kernel.numbers import MACHINE
from labkit.kernel.peek import content, words
from labkit.words import signal_name

_EPOLL_EVENT = 12 if MACHINE == "x86_64" else 16
"""Bytes of a `struct epoll_event`: packed on one machine, not on the other."""
_CLD = {1: "exited {}", 2: "ended by {}", 3: "ended by {}", 4: "stopped by {}", 5: "stopped by {}",
        6: "continued"}  # fmt: skip
_GETPID, _GETALL = 11, 13
_GETLK = (5, 36)
_TIME_IS_OVER = "0 (the time is over)"


class Results(Arguments):
    """Writes results. A method `_r_WORD` for each kind that is more than a number."""

    created: list[tuple[str, int]]
    """System V objects whose ids were seen: (`shm`, id)."""

    def result(self, task: Task, call: Made) -> str:
        """What stands after the bracket."""
        result = call.result or 0
        function = getattr(self, f"_r_{call.spec.result}", None)
        if function:
            text: str = function(task, call, result)
            return f" = {text}" if text else ""
        return f" = {result}"

    def _r_none(self, task: Task, call: Made, result: int) -> str:
        return ""

    # --- bytes ---------------------------------------------------------------------------------

    def _r_bytes(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return self._nothing(task, call)
        pid, address = task.process.pid, call.args[1]
        if call.name == "recvmsg":
            return str(result)
        if call.spec.args[1] == "outiov":
            return f"{result} {shown_bytes(gathered(pid, address, call.args[2], result))}"
        size = min(result, call.args[2])  # with MSG_TRUNC, the result is what has been cut
        data = content(pid, address, size if size <= 1024 else MOST + 1)
        said = self.carried(task, call, data, size)
        return f"{result} ({said})" if said else f"{result} {shown_bytes(self.told(data)[: MOST + 1])}"

    def _nothing(self, task: Task, call: Made) -> str:
        """A result of 0 is the end, but not where nothing was asked for, nor where messages are."""
        if call.spec.args[1] == "out" and call.args[2] == 0:
            return "0"
        if not (
            call.name.startswith("recv") or self.leads(task, signed32(call.args[0])).startswith("socket")
        ):
            return "0 (the end)"
        kind = _socket_kind(task, signed32(call.args[0]))
        if kind is None:
            return "0"
        return "0 (an empty message)" if kind == socket.SOCK_DGRAM else "0 (the end)"

    def _r_mqbytes(self, task: Task, call: Made, result: int) -> str:
        data = content(task.process.pid, call.args[1], min(result, MOST + 1))
        priority = words(task.process.pid, call.args[3], 1, 4)
        return f"{result} {shown_bytes(data)}" + (f", priority {priority[0]}" if priority else "")

    def _r_message(self, task: Task, call: Made, result: int) -> str:
        pid, address = task.process.pid, call.args[1]
        kind = struct.unpack("=q", content(pid, address, 8).ljust(8, b"\0"))[0]
        return f"{result} type {kind}, {shown_bytes(content(pid, address + 8, min(result, MOST + 1)))}"

    # --- processes, signals --------------------------------------------------------------------

    def _r_pid(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return "0 (none has ended yet)" if call.name == "wait4" else "0"
        if call.name != "wait4":
            return self.process(result)
        status = words(task.process.pid, call.args[1], 1, 4)
        return f"{self.process(result)}, {wait_status(status[0])}" if status else self.process(result)

    def _r_child(self, task: Task, call: Made, result: int) -> str:
        data = content(task.process.pid, call.args[2], 28)
        if len(data) < 28:
            return str(result)
        code, pid, status = struct.unpack_from("=8xi4xi4xi", data)
        if not pid:
            return f"{result} (none has ended yet)"
        how = _CLD.get(code, "").format(status if code == 1 else signal_name(status))
        return f"{result} ({self.process(pid)}, {how})"

    def _r_sig(self, task: Task, call: Made, result: int) -> str:
        data = content(task.process.pid, call.args[1], 20)
        code, sender = struct.unpack_from("=8xi4xi", data) if len(data) == 20 else (1, 0)
        return signal_name(result) + (f" from {self.process(sender)}" if code <= 0 and sender else "")

    # --- memory, System V ----------------------------------------------------------------------

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

    def _r_semctl(self, task: Task, call: Made, result: int) -> str:
        command = call.args[2] & 0xFF
        if command == _GETPID and result:
            return self.process(result)
        return f"{result} {self.semaphores(task, call)}" if command == _GETALL else str(result)

    # --- descriptors ---------------------------------------------------------------------------

    def _r_fcntl(self, task: Task, call: Made, result: int) -> str:
        return f"{result} ({self._lock_found(task, call)})" if call.args[1] in _GETLK else str(result)

    def _lock_found(self, task: Task, call: Made) -> str:
        data = content(task.process.pid, call.args[2], 28).ljust(28, b"\0")
        kind, holder = struct.unpack_from("=h22xi", data)
        if kind == 2:
            return "nobody has such a lock"
        return f"{self.process(holder)} has it" if holder > 0 else "somebody has it"

    def _r_poll(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return _TIME_IS_OVER if call.seconds else "0"
        return f"{result} {self.polled(task, call, 2)}"

    def _r_select(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return _TIME_IS_OVER if call.seconds else "0"
        sets = [self._a_fdset(task, call, index, True) for index in (1, 2, 3) if call.args[index]]
        return f"{result} {', '.join(sets)}"

    def _r_epoll(self, task: Task, call: Made, result: int) -> str:
        if result == 0:
            return _TIME_IS_OVER if call.seconds else "0"
        data = content(task.process.pid, call.args[1], _EPOLL_EVENT * min(result, 16))
        known = self._watched(task, signed32(call.args[0]))
        texts = []
        for at in range(0, len(data) // _EPOLL_EVENT * _EPOLL_EVENT, _EPOLL_EVENT):
            events = int.from_bytes(data[at : at + 4], "little")
            mark = int.from_bytes(data[at + _EPOLL_EVENT - 8 : at + _EPOLL_EVENT], "little")
            texts.append(f"{known.get(mark, '?')}: {flags.names(events, flags.EPOLL)}")
        return f"{result} [{', '.join(texts)}]"

    def _watched(self, task: Task, fd: int) -> dict[int, str]:
        """The descriptors that an epoll watches, by what it will say of each."""
        try:
            with open(f"/proc/{task.tid}/fdinfo/{fd}", "rb") as file:
                found = parse_epoll_data(file)
        except OSError:
            return {}
        return {mark: " or ".join(map(str, fds)) for mark, fds in found.items()}

    def _r_sockval(self, task: Task, call: Made, result: int) -> str:
        size = (words(task.process.pid, call.args[4], 1, 4) or [0])[0]
        data = content(task.process.pid, call.args[3], min(size, 64))
        if flags.SOCKET_OPTIONS.get((call.args[1], call.args[2])) == "SO_ERROR" and len(data) == 4:
            number = int.from_bytes(data, "little")
            return f"{result} ({error_text(number) if number else 'no error'})"
        return f"{result} ({self.option(call, data)})"


def _socket_kind(task: Task, fd: int) -> int | None:
    """SOCK_STREAM, SOCK_DGRAM…; None where this machine will not say."""
    try:
        process = syscalls.pidfd_open(task.process.pid)
        try:
            copy = syscalls.pidfd_getfd(process, fd)
        finally:
            os.close(process)
        with socket.socket(fileno=copy) as found:
            return found.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    except OSError:
        return None
