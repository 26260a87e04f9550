"""The notebook's programs by name: list them, wait, stop, kill, pause and resume them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from labkit import supervisor
from labkit.errors import LabError
from labkit.magics.printing import Printer, ended
from labkit.magics.screen import Screen
from labkit.owner import family
from labkit.process import Program
from labkit.words import listing

CAMERA = "camera"
"""The name of the program that makes a film or an exploration."""
_printers: dict[int, Printer] = {}
"""Of programs whose output is held until somebody waits: their numbers and what was held."""


class Interrupted(LabError):
    """The person at the screen interrupted a cell."""


class Programs:
    """All programs of the notebook. `programs()["writer"]` is the latest with that name."""

    def __init__(self, programs: list[Program]) -> None:
        self._programs = programs

    def __iter__(self) -> Iterator[Program]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)

    def __getitem__(self, name: str) -> Program:
        return _latest(self._programs, name)

    def _ipython_key_completions_(self) -> list[str]:
        return sorted({program.name for program in self._programs})

    def __repr__(self) -> str:
        if not self._programs:
            return "No program has been started yet."
        rows = [("name", "pid", ""), *((p.name, str(p.pid), state(p)) for p in self._programs)]
        name, pid = (max(len(row[i]) for row in rows) for i in (0, 1))
        return "\n".join(f"{row[0]:<{name}}  {row[1]:>{pid}}  {row[2]}".rstrip() for row in rows)


def state(program: Program) -> str:
    """What a program is doing, in a word or two."""
    if program.status is None and program.alive:
        return "paused" if program.paused or _stands_still(program) else "running"
    how = ended(program) or "ended"
    return how if not program.alive else f"{how}; some of its processes go on"


def _stands_still(program: Program) -> bool:
    """Is it stopped, by us or by whoever sent it SIGSTOP?"""
    found = None if program.pid is None else family.state(program.pid)
    return found is not None and found.state == "T"


def programs() -> Programs:
    """Every program of this notebook, in the order of their starts; what records films is no cell of it."""
    there = supervisor.current()
    return Programs([p for p in there.programs() if not _is_camera(p)] if there else [])


def _is_camera(program: Program) -> bool:
    return program.name == CAMERA and "labkit.studio" in program.command.argv


def named(*names: str) -> list[Program]:
    """The latest programs with these names; when none is given, all that live."""
    there = list(programs())
    return [_latest(there, name) for name in names] if names else [p for p in there if p.alive]


def _latest(programs: list[Program], name: str) -> Program:
    for program in reversed(programs):
        if program.name == name:
            return program
    known = list(dict.fromkeys(p.name for p in reversed(programs)))
    there = f"there is: {listing(known, most=12)}" if known else "none has been started yet"
    raise LabError(f"There is no program named {name!r} ({there}).")


# --- what a cell can ask for ------------------------------------------------------------------------


def wait(*names: str, timeout: float | None = None) -> None:
    """Wait until the named programs (or all) have ended. In a headless run their output comes here."""
    if timeout is not None and not isinstance(timeout, int | float):
        raise LabError(f"wait: timeout wants a number of seconds, not {timeout!r}.")
    chosen = _chosen_to_wait_for(names)
    until = None if timeout is None else time.monotonic() + timeout
    for program in chosen:
        rest = None if until is None else max(until - time.monotonic(), 0)
        try:
            program.wait(rest)
        except KeyboardInterrupt:
            raise Interrupted(f"You stopped waiting; {program.name} goes on.") from None
        if not program.done:
            raise LabError(f"{program.name} had not ended after {timeout:g} s.")
        show_held(program)


def stop(*names: str) -> None:
    """End the named programs (or all): SIGTERM, and a second later SIGKILL."""
    chosen = named(*names)
    for program in chosen:
        program.stop()
    for program in chosen:
        program.wait_gone()
        show_held(program)


def kill(*names: str) -> None:
    """End the named programs (or all) at once, with SIGKILL."""
    chosen = named(*names)
    for program in chosen:
        program.kill()
    for program in chosen:
        program.wait_gone()
        show_held(program)


def pause(*names: str) -> None:
    """Stop the clocks of the named programs (or all) with SIGSTOP."""
    for program in named(*names):
        program.pause()


def resume(*names: str) -> None:
    """Let paused programs go on, with SIGCONT."""
    for program in named(*names):
        program.resume()


def _chosen_to_wait_for(names: tuple[str, ...]) -> list[Program]:
    """Those named; when none is, all that run, and all whose output nobody has seen yet."""
    if names:
        return named(*names)
    return [p for p in programs() if not p.done or p.number in _printers]


# --- output that was held ---------------------------------------------------------------------------


def hold(program: Program, printer: Printer) -> None:
    """Remember the printer of a program whose output waits for somebody to ask for it."""
    _printers[program.number] = printer


def show_held(program: Program) -> None:
    """Show, under the cell that runs now, what a program has written meanwhile."""
    printer = _printers.get(program.number)
    if printer is None:
        return
    if program.gone:
        del _printers[program.number]
    printer.release(Screen(_shell()))


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()
