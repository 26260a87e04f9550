"""A program's standard input: text given at the start, or what a person types while it runs."""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING

from labkit.owner import reading
from labkit.owner.program import Program

if TYPE_CHECKING:
    from labkit.owner.loop import Owner

_LOOKS = 2
"""What was just typed may not have reached the program at the first look."""


class Stdin:
    """Feeds the programs of one owner."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def notice_asking(self, program: Program) -> None:
        """Tell the notebook when the program begins or ends to wait for something typed."""
        reads = not program.typed and reading.somebody_reads(program.tty, self._owner.family.of(program.mark))
        program.reads_since = program.reads_since + 1 if reads else 0
        asking = program.reads_since >= _LOOKS
        if asking != program.asking:
            program.asking = asking
            self._owner.tell({"event": "asking", "id": program.number, "asking": asking})

    def type(self, program: Program) -> None:
        fd = program.stdin
        if fd is None:
            return
        while program.typed:
            try:
                del program.typed[: os.write(fd, program.typed[:4096])]
            except BlockingIOError:
                self._wait_writable(program)
                return
            except OSError:
                program.typed.clear()
        if program.typed_end:
            self.close(program)

    def _wait_writable(self, program: Program) -> None:
        fd = program.stdin
        if fd is not None and not self._owner.hears(fd):
            self._owner.add(fd, lambda fd: self.type(program), select.EPOLLOUT)

    def close(self, program: Program) -> None:
        fd = program.stdin
        assert fd is not None
        if self._owner.hears(fd):
            self._owner.remove(fd)
        if program.stdin_is_terminal and program.streams:
            with contextlib.suppress(OSError):
                os.write(fd, b"\x04")
        os.close(fd)
        program.stdin = None
