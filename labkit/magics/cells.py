"""A cell is a program: `%%program`, `%%c`, `%%shell` and `%run_program`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from labkit import names, supervisor
from labkit.errors import LabError
from labkit.magics import byname, completing, interrupts, typing_in
from labkit.magics.byname import Interrupted, programs, stop, wait
from labkit.magics.options import Options, parse, usage
from labkit.magics.printing import Printer, note
from labkit.magics.screen import Screen
from labkit.process import Program
from labkit.programs import Command, as_other_user, c, python, shell
from labkit.words import listing

__all__ = ["definition", "load", "make", "programs", "start", "stop", "unload", "wait"]

DEFAULT_TIMEOUT_S = 30.0

LANGUAGES: dict[str, Callable[..., Command]] = {"program": python, "c": c, "shell": shell}

_defined: dict[str, tuple[Command, Options]] = {}
"""What cells have defined, with `--save` or by running under a name."""

_of_cell: dict[str, Program] = {}
"""The program each cell started last, by the cell's id."""


def load(shell: Any) -> None:
    """Register the magics, and start the supervisor so that the first program need not wait for it."""
    names.begin()
    for magic in LANGUAGES:
        shell.register_magic_function(_cell_magic(shell, magic), "cell", magic)
    shell.register_magic_function(_run_program(shell), "line", "run_program")
    for function in (byname.stop, byname.kill, byname.pause, byname.resume):
        shell.register_magic_function(_line_magic(function), "line", function.__name__)
    completing.load(shell, lambda: {p.name for p in programs()}, lambda: _defined)
    supervisor.connect()


def unload(shell: Any) -> None:
    """End all programs, and take the magics back."""
    there = supervisor.current()
    if there is not None:
        there.close()
    completing.unload(shell)
    for magic in LANGUAGES:
        shell.magics_manager.magics["cell"].pop(magic, None)
    for magic in ("run_program", "stop", "kill", "pause", "resume"):
        shell.magics_manager.magics["line"].pop(magic, None)


def definition(name: str) -> Command:
    """The command that a cell has defined under this name, made anew."""
    command, options = _definition(name)
    return _made(command.language, options, command.source, command.label, command.first_line)


def _definition(name: str) -> tuple[Command, Options]:
    if name not in _defined:
        known = f"defined so far: {listing(list(_defined), most=12)}" if _defined else "none so far"
        raise LabError(f"No cell has defined a program named {name!r} ({known}). Run its cell first.")
    return _defined[name]


# --- the magics -------------------------------------------------------------------------------------


def _cell_magic(shell: Any, magic: str) -> Callable[[str, str], Any]:
    def run(line: str, cell: str) -> Any:
        options = parse(line, magic)
        if options.save and options.name is None:
            raise LabError(f"%%{magic} --save needs a name, as in %%{magic} writer --save.")
        command = make(shell, magic, options, cell)
        if options.name:
            _defined[options.name] = command, options
        if options.save:
            print(f"{options.name} is defined; %run_program {options.name} starts it.")
        elif options.step or options.slow:
            return _under_a_hand(command, options)
        else:
            start(shell, command, options)
        return None

    run.__doc__ = f"Run this cell as a program of its own.\n\n    {usage(f'%%{magic}')}"
    return run


def _run_program(shell: Any) -> Callable[[str], None]:
    def run_program(line: str) -> None:
        """Start a program that a cell has defined: %run_program NAME [--args …] … [&]"""
        given = parse(line, "run_program")
        if given.name is None:
            raise LabError("%run_program wants the name of a program, as in %run_program writer.")
        command, options = _definition(given.name)
        changed = {
            field.name: value
            for field in dataclasses.fields(Options)
            if (value := getattr(given, field.name)) and field.name != "save"
        }
        options = dataclasses.replace(options, **{"background": False, "save": False, **changed})
        command = _made(command.language, options, command.source, command.label, command.first_line)
        start(shell, command, options)

    return run_program


def _under_a_hand(command: Command, options: Options) -> Any:
    """Led call by call (`--step`), or by itself and slowly (`--slow`)."""
    from labkit.magics import stepping

    return stepping.begin(command, step=options.step, slow=options.slow or 0.0, stdin=options.stdin)


def _line_magic(function: Callable[..., None]) -> Callable[[str], None]:
    def run(line: str) -> None:
        function(*line.split())

    run.__doc__ = function.__doc__
    return run


def make(shell: Any, magic: str, options: Options, source: str) -> Command:
    """The cell's source as a command. Its first line is the one with the magic."""
    number = _number(shell)
    if options.name is None:
        options = dataclasses.replace(options, name=f"cell {number}")
    return _made("python" if magic == "program" else magic, options, source, f"cell [{number}]", 2)


def _number(shell: Any) -> int:
    """The number that the front end shows beside the cell that runs. Since IPython 9 the count is ahead."""
    stored = len(shell.history_manager.input_hist_raw) - 1
    return min(shell.execution_count, stored) or int(shell.execution_count)


def _made(language: str, options: Options, source: str, label: str, first_line: int) -> Command:
    build = python if language == "python" else LANGUAGES[language]
    return build(
        source,
        name=options.name or "program",
        args=options.args,
        env=options.env,
        cwd=options.cwd,
        label=label,
        first_line=first_line,
    )


# --- running ----------------------------------------------------------------------------------------


def start(shell: Any, command: Command, options: Options) -> Program:
    """Start a program, and in the foreground wait for it."""
    screen = Screen(shell)
    printer = Printer(screen)
    if options.background:
        return _start(shell, command, options, screen, printer)
    with interrupts.counted() as count:
        program = _start(shell, command, options, screen, printer)
        try:
            _wait_in_foreground(shell, screen, program, count)
        finally:
            if not program.done:
                program.kill()
            byname.show_held(program)
    if count.value:
        raise Interrupted(f"{program.name} was interrupted.")
    return program


def _start(shell: Any, command: Command, options: Options, screen: Screen, printer: Printer) -> Program:
    _end_earlier(screen, printer)
    if command.warnings:
        printer.say(command.warnings)
    interactive = not options.background and options.stdin is None and typing_in.can_ask(shell, screen)
    program = supervisor.connect().start(
        as_other_user(command) if options.other_user else command,
        on_output=lambda _, stream, data: printer.write(stream, data),
        on_event=lambda program, event: note(program, printer, event),
        stdin=options.stdin,
        terminal=interactive,
        timeout=_timeout(options),
        other_user=options.other_user,
    )
    if screen.cell_id:
        _of_cell[screen.cell_id] = program
    if not screen.live:
        byname.hold(program, printer)
    return program


def _timeout(options: Options) -> float | None:
    if options.timeout is None and not options.background:
        return DEFAULT_TIMEOUT_S
    return options.timeout


def _end_earlier(screen: Screen, printer: Printer) -> None:
    """A cell is one terminal: what it started before ends when it is run again."""
    earlier = _of_cell.get(screen.cell_id or "")
    if earlier is not None and earlier.alive:
        earlier.stop()
        earlier.wait_gone()
        printer.say(f"The {earlier.name} that this cell had started before was ended.")


def _wait_in_foreground(shell: Any, screen: Screen, program: Program, count: interrupts.Count) -> None:
    """Wait, and pass on what is typed. The first interrupt is Ctrl-C; the second ends the program."""
    heeded = 0
    while not program.done:
        if heeded < count.value:
            heeded += 1
            if heeded == 1:
                program.interrupt()
            else:
                program.kill()
            program.wait(interrupts.LOOKS_EVERY_S)  # whoever ends asks for no more input
        program.wait_done_or_asking(interrupts.LOOKS_EVERY_S)
        if program.asking:
            _answer(shell, screen, program, count)


def _answer(shell: Any, screen: Screen, program: Program, count: interrupts.Count) -> None:
    before = count.value
    line = typing_in.ask(shell, screen, lambda: not program.done and count.value == before)
    if line is None:
        return
    if line in typing_in.END:
        program.type("", end=True)
    else:
        program.type(line + "\n")
