"""A system call as a teacher would write it: `write(4, "hello", 5) = 5`, `read(3) = 0 (the end)`.

A `Decoder` is given a call with its numbers, and looks into the memory of the process that made it.
Whatever changes from run to run is written by a name: shm-1, sem-2, key-1, port-1, the process's name.
Flags, signals and errors are written by the names in the manual pages.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from labkit.conductor.tasks import Made, Pending, Task
from labkit.decode.plain import error_text, friendly, has_out, shown_name
from labkit.decode.results import Results
from labkit.kernel.calls import KEEPS_DESCRIPTORS
from labkit.kernel.peek import c_string
from labkit.words import signal_name

__all__ = ["Decoder", "friendly"]

_EFFECTS = {
    "handler": "handler runs",
    "ends": "which ends it",
    "stops": "and stops",
    "continues": "and goes on",
}


class Decoder(Results):
    """Writes calls as text, with names that stay the same throughout one recording."""

    def __init__(self, process_name: Callable[[int], str | None]) -> None:
        super().__init__(process_name)
        self.created = []

    def before(self, task: Task, call: Made) -> str:
        """What can only be read before the call has happened: its arguments."""
        if call.name not in KEEPS_DESCRIPTORS:
            self._leads.clear()
        return f"{shown_name(task, call)}({self.arguments(task, call, done=False)})"

    def after(self, task: Task, call: Made) -> str:
        """The call with its result; `call.said` is what `before` gave."""
        assert call.result is not None
        asked = call.said
        if -4096 < call.result < 0:
            return f"{asked} = -1 {error_text(-call.result)}"
        if has_out(call):
            asked = f"{shown_name(task, call)}({self.arguments(task, call, done=True)})"
        if call.name in ("link", "linkat"):
            old, new = (call.args[i] for i, word in enumerate(call.spec.args) if word == "path")
            self.note_link(c_string(task.process.pid, old), c_string(task.process.pid, new))
        return f"{asked}{self.result(task, call)}"

    def signal(self, task: Task, pending: Pending) -> str:
        """What a signal does: `gets SIGUSR1 from parent, handler runs`."""
        words = [f"gets {signal_name(pending.number)}"]
        if pending.sender:
            own = pending.sender == task.process.pid
            words.append(f"from {'itself' if own else self.process(pending.sender)}")
        if pending.value is not None:
            words.append(f"with value {pending.value}")
        if pending.address is not None:
            words.append(f"at {self.place(task, pending.address)}")
        return f"{' '.join(words)}, {_EFFECTS[pending.effect]}"

    def ended(self, status: int) -> str:
        """How a process ended, from waitpid's status."""
        if os.WIFSIGNALED(status):
            core = " (core dumped)" if os.WCOREDUMP(status) else ""
            return f"is ended by {signal_name(os.WTERMSIG(status))}{core}"
        return f"exits {os.WEXITSTATUS(status)}"
