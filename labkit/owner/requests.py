"""What the notebook's process may ask of the owner: one method for each request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from labkit.owner import limits, marks, spawn
from labkit.owner.program import TICK_S, Program

if TYPE_CHECKING:
    from labkit.owner.loop import Owner


class Requests:
    """Answers one notebook."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def answer(self, head: dict[str, Any], body: bytes) -> None:
        """Do what one message asks."""
        getattr(self, "do_" + head["do"])(head, body)

    def do_start(self, head: dict[str, Any], body: bytes) -> None:
        """Start a program."""
        number = head["id"]
        order = spawn.Order(
            argv=head["argv"],
            env=head["env"],
            cwd=head["cwd"],
            mark=marks.of_program(self._owner.notebook, number),
            stdin=head["stdin"],
            limits=limits.of_process(),
            other_user=head["other_user"],
            records=head["records"],
        )
        try:
            program = Program(number, order, head["name"], head["output"], self._owner.tell)
        except OSError as error:
            self._owner.tell({"event": "failed", "id": number, "errno": error.errno, "what": error.filename})
            return
        if not self._owner.programs:
            self._owner.belongings.nothing_runs()
        self._owner.programs[number] = program
        self._owner.mind_creations()
        self._owner.family.begin(program.pid, program.mark)
        limits.prefer_to_kill(program.pid)
        for fd in program.streams:
            self._owner.add(fd, lambda fd, program=program: self._owner.on_output(program, fd))  # type: ignore[misc]
        if head["timeout"] is not None:
            program.seconds = head["timeout"]
            program.deadline = time.monotonic() + program.seconds
        self._owner.next_tick = time.monotonic() + TICK_S
        self._owner.tell({"event": "started", "id": number, "pid": program.pid})
        if order.stdin == "text":
            program.typed += body
            program.typed_end = True
            self._owner.stdin.type(program)

    def do_signal(self, head: dict[str, Any], body: bytes) -> None:
        """Send a signal to a program's group, or to all its processes."""
        program = self._owner.programs.get(head["id"])
        if program is None:
            return
        program.signal_group(head["signal"])

    def do_pause(self, head: dict[str, Any], body: bytes) -> None:
        """Let every process of a program stand still, or go on."""
        program = self._owner.programs.get(head["id"])
        if program is not None:
            (self._owner.family.freeze if head["on"] else self._owner.family.thaw)(program.mark)
        self._owner.tell({"event": "reply", "id": head["reply"]})

    def do_stop(self, head: dict[str, Any], body: bytes) -> None:
        """End a program politely."""
        program = self._owner.programs.get(head["id"])
        if program is not None:
            self._owner.end(program, "stopped")

    def do_kill(self, head: dict[str, Any], body: bytes) -> None:
        """End a program at once."""
        program = self._owner.programs.get(head["id"])
        if program is not None:
            program.why = program.why or "killed"
            self._owner.kill(program.mark)

    def do_type(self, head: dict[str, Any], body: bytes) -> None:
        """Give a program what was typed for it."""
        program = self._owner.programs.get(head["id"])
        if program is not None and program.stdin is not None:
            program.typed += body
            program.typed_end |= head["end"]
            program.asking, program.reads_since = False, 0
            self._owner.stdin.type(program)

    def do_answer(self, head: dict[str, Any], body: bytes) -> None:
        """Say that we live."""
        self._owner.tell({"event": "alive"})

    def do_watch(self, head: dict[str, Any], body: bytes) -> None:
        """Begin or end to send pictures."""
        self._owner.pictures.watched(head["on"])

    def do_scene(self, head: dict[str, Any], body: bytes) -> None:
        """One picture, now."""
        self._owner.tell(
            {"event": "reply", "id": head["reply"], "scene": self._owner.pictures.now(head["all"])}
        )
