"""A cell is a program: `%%program`, `%%c`, `%%shell`, and what can be done with programs by name."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from labkit import names, supervisor
from labkit.errors import LabError
from labkit.magics.options import Options, parse
from labkit.magics.screen import Printer, Screen
from labkit.programs import Command, c, python, shell
from labkit.supervisor import Program

DEFAULT_TIMEOUT_S = 30.0

_LANGUAGES: dict[str, Callable[..., Command]] = {"program": python, "c": c, "shell": shell}

saved: dict[str, tuple[Command, Options]] = {}
"""What `--save` (or a first run under a name) has defined."""


class Interrupted(LabError):
    """The person at the screen interrupted a cell."""


def load(shell: Any) -> None:
    """Register the magics and start the supervisor."""
    names.begin()
    for magic in _LANGUAGES:
        shell.register_magic_function(_cell_magic(shell, magic), "cell", magic)
    shell.register_magic_function(lambda line: run_program(shell, line), "line", "run_program")
    supervisor.connect()


def unload(shell: Any) -> None:
    """End all programs."""
    running = supervisor.current()
    if running is not None:
        running.close()


def _cell_magic(shell: Any, magic: str) -> Callable[[str, str], None]:
    def run(line: str, cell: str) -> None:
        options = parse(line, magic)
        command = make(shell, magic, options, cell)
        if options.name:
            saved[options.name] = command, options
        if not options.save:
            start(shell, command, options)

    run.__doc__ = f"Run this cell as a program of its own. %%{magic} [NAME] [--args …] [&]"
    return run


def make(shell: Any, magic: str, options: Options, source: str) -> Command:
    """The cell's command."""
    label = f"cell [{shell.execution_count}]"
    return _LANGUAGES[magic](
        source,
        name=options.name or f"cell {shell.execution_count}",
        args=options.args,
        env=options.env,
        cwd=options.cwd,
        label=label,
        first_line=2,
    )


def start(shell: Any, command: Command, options: Options) -> Program:
    """Start a program, and in the foreground wait for it."""
    screen = Screen(shell)
    printer = Printer(screen)
    timeout = options.timeout
    if timeout is None and not options.background:
        timeout = DEFAULT_TIMEOUT_S
    program = supervisor.connect().start(
        command,
        on_output=lambda _, stream, data: printer.write(stream, data),
        on_event=lambda program, event: _note(program, printer, event, timeout),
        stdin=options.stdin,
        timeout=timeout,
    )
    if not options.background:
        _foreground(program)
    return program


def _foreground(program: Program) -> None:
    interrupted = 0
    while True:
        try:
            program.wait()
            break
        except KeyboardInterrupt:
            interrupted += 1
            if interrupted == 1:
                program.interrupt()
            else:
                program.kill()
    if interrupted:
        raise Interrupted(f"{program.name} was interrupted.")


def _note(program: Program, printer: Printer, event: dict[str, Any], timeout: float | None) -> None:
    """Say in words what happened, if it is worth a line."""
    what = event["event"]
    if what == "timeout":
        printer.say(f"{program.name} had not ended after {timeout:g} s.")
        printer.say(str(program.scene))
    elif what == "cut":
        printer.say(
            f"[… {event['bytes']:,} bytes are left out here; all {event['total']:,} are in {event['path']}]"
        )
    elif what == "exit" and ended(program):
        printer.say(f"{program.name} {ended(program)}.")
    elif what == "done" and event["left"]:
        count = event["left"]
        some = "process goes" if count == 1 else "processes go"
        printer.say(f"{count} of its {some} on in the background (labkit.stop({program.name!r}) ends it).")


def ended(program: Program) -> str:
    """How it ended, in words; empty when it ended well or has not ended."""
    status = program.status
    if program.why == "owner":
        return "was ended, because the supervisor had died"
    if status is None or status == 0:
        return ""
    if status > 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name} ({-status})"


def run_program(shell: Any, line: str) -> None:
    """`%run_program NAME`: start what a cell defined."""
    words = line.split()
    background = bool(words) and words[-1] == "&"
    name = words[0] if words else ""
    if name not in saved:
        known = ", ".join(saved) or "none yet"
        raise LabError(f"No cell has defined a program {name!r} (known: {known}).")
    command, options = saved[name]
    options.background = background
    start(shell, command, options)


# --- by name ----------------------------------------------------------------------------------------


class Table:
    """The notebook's programs, readable."""

    def __init__(self, programs: list[Program]) -> None:
        self.programs = programs

    def __repr__(self) -> str:
        if not self.programs:
            return "No program has been started yet."
        rows = [(p.name, str(p.pid), _state(p)) for p in self.programs]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(f"{n:<{widths[0]}}  {pid:>{widths[1]}}  {state}" for n, pid, state in rows)


def _state(program: Program) -> str:
    if program.status is None:
        return "paused" if program.paused else "running"
    if not program.gone:
        return f"{ended(program) or 'ended'}; some of its processes go on"
    return ended(program) or "ended"


def programs() -> Table:
    """Every program of this notebook."""
    running = supervisor.current()
    return Table(running.programs() if running else [])


def named(*wanted: str) -> list[Program]:
    """The latest programs with these names; all that live when none is given."""
    running = supervisor.current()
    there = running.programs() if running else []
    if not wanted:
        return [p for p in there if p.alive]
    latest = {p.name: p for p in there}
    for name in wanted:
        if name not in latest:
            known = ", ".join(latest) or "none has been started"
            raise LabError(f"There is no program named {name!r} (there is: {known}).")
    return [latest[name] for name in wanted]


def wait(*wanted: str, timeout: float | None = None) -> None:
    """Wait until the named programs (or all) have ended."""
    until = None if timeout is None else time.monotonic() + timeout
    for program in named(*wanted):
        rest = None if until is None else max(until - time.monotonic(), 0)
        if program.wait(rest) is None and not program.done:
            raise LabError(f"{program.name} had not ended after {timeout:g} s.")


def stop(*wanted: str) -> None:
    """End the named programs (or all): SIGTERM, then SIGKILL."""
    chosen = named(*wanted)
    for program in chosen:
        program.stop()
    for program in chosen:
        program.wait_gone()
