"""`%%film` and `%%explore` on a cell; `film()` and `explore()` for programs that cells have defined.

Both are made by a program of the notebook (`labkit/studio.py`), so that they end with it and can be
interrupted like any other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from labkit import names, studio, supervisor
from labkit.errors import LabError
from labkit.exploration import Exploration
from labkit.film import Film
from labkit.magics import interrupts
from labkit.magics.byname import CAMERA, Interrupted
from labkit.magics.cells import definition, make
from labkit.magics.options import parse
from labkit.process import Program
from labkit.programs import Command

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LANGUAGES = {"--c": "c", "--shell": "shell", "--python": "program"}
_VALUES: dict[str, Callable[[str], Any]] = {
    "--turns": str, "--frames": int, "--slow": float, "--max": int, "--jobs": int, "-o": str,
}  # fmt: skip
_OPTIONS = {
    "film": "[--turns RULE] [--frames N] [--all-calls] [--slow S] [-o FILE]",
    "explore": "[--max N] [--exhaustive] [--jobs N]",
}
_TELLS_EVERY_S = 0.3
_PATIENCE_S = 3.0
"""How long an interrupted camera has to clear away."""
_FLAGS = ("--all-calls", "--exhaustive")


def load(shell: Any) -> None:
    """Register `%%film` and `%%explore`."""
    for name, work in (("film", _film_cell), ("explore", _explore_cell)):
        shell.register_magic_function(_cell_magic(shell, name, work), "cell", name)


def unload(shell: Any) -> None:
    """Take the magics back."""
    for name in ("film", "explore"):
        shell.magics_manager.magics["cell"].pop(name, None)


def film(
    *programs: str,
    turns: str = "parent-first",
    timeout: float = 30.0,
    frames: int = 20_000,
    all_calls: bool = False,
    slow: float = 0.0,
    save: str | None = None,
) -> Any:
    """A film of programs that cells have defined, run together: a frame for every call that matters."""
    commands = [definition(name) for name in _some(programs)]
    return _shown(
        make_film(commands, turns=turns, seconds=timeout, frames=frames, all_calls=all_calls, slow=slow), save
    )


def explore(
    *programs: str,
    max: int | None = None,
    exhaustive: bool = False,
    timeout: float = 10.0,
    jobs: int | None = None,
) -> Any:
    """Every outcome of programs that cells have defined, over every order in which they could go."""
    commands = [definition(name) for name in _some(programs)]
    return _explored(commands, most=max, exhaustive=exhaustive, seconds=timeout, jobs=jobs)


def make_film(commands: Sequence[Command], **options: Any) -> Film:
    """A film, made by a process of its own."""
    return Film.from_dict(_in_studio(studio.job("film", commands, **options)))


def make_exploration(
    commands: Sequence[Command], on_progress: Callable[[str], None] = lambda line: None, **options: Any
) -> Exploration:
    """An exploration, done by a process of its own."""
    return Exploration.from_dict(_in_studio(studio.job("explore", commands, **options), on_progress))


def replay(commands: Sequence[Command], found: Exploration, number: int) -> Film:
    """The film of the `number`th outcome (from 0)."""
    what = found.replay_options(number)
    return Film.from_dict(_in_studio(studio.job("replay", commands, **what)))


# --- cells --------------------------------------------------------------------------------------------


def _cell_magic(
    shell: Any, magic: str, work: Callable[[Command, dict[str, Any]], Any]
) -> Callable[[str, str], Any]:
    def run(line: str, cell: str) -> Any:
        rest, own = _split(line, magic)
        options = parse(shlex.join(rest), magic)
        if options.stdin is not None:
            own["stdin"] = options.stdin
        if options.timeout is not None:
            own["seconds"] = options.timeout
        command = make(shell, own.pop("language", "program"), options, cell)
        return work(command if options.name else dataclasses.replace(command, name=""), own)

    run.__doc__ = f"%%{magic} [NAME] [--c | --shell] [the options of %%program] {_OPTIONS[magic]}"
    return run


def _split(line: str, magic: str) -> tuple[list[str], dict[str, Any]]:
    """The words that %%program knows, and the options that only a camera has."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise LabError(f"%%{magic}: {str(error).lower()}: quotes come in pairs.") from None
    rest: list[str] = []
    own: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word == "--args":
            rest += [word, *words]
            break
        if word in _LANGUAGES:
            own["language"] = _LANGUAGES[word]
        elif word in _FLAGS:
            own[word[2:].replace("-", "_")] = True
        elif word in _VALUES:
            own[word.lstrip("-")] = _value(word, words, magic)
        else:
            rest.append(word)
    return rest, own


def _value(word: str, words: list[str], magic: str) -> Any:
    try:
        return _VALUES[word](words.pop(0))
    except (IndexError, ValueError):
        kind = {int: "a number", float: "a number of seconds", str: "a value"}[_VALUES[word]]  # type: ignore[index]
        raise LabError(f"%%{magic}: {word} wants {kind} after it.") from None


def _film_cell(command: Command, own: dict[str, Any]) -> Any:
    save = own.pop("o", None)
    _only(own, ("turns", "frames", "all_calls", "slow", "seconds", "stdin"), "film")
    return _shown(make_film([command], **own), save)


def _explore_cell(command: Command, own: dict[str, Any]) -> Any:
    _only(own, ("max", "exhaustive", "jobs", "seconds", "stdin"), "explore")
    if "max" in own:
        own["most"] = own.pop("max")
    return _explored([command], **own)


def _only(own: dict[str, Any], known: tuple[str, ...], magic: str) -> None:
    for key in own:
        if key not in known:
            raise LabError(f"%%{magic} has no option --{key.replace('_', '-')}.")


def _some(programs: Sequence[str]) -> Sequence[str]:
    if not programs:
        raise LabError("Which programs? Give the names of cells, as in labkit.film('server', 'client').")
    return programs


def _shown(film: Film, save: str | None) -> Any:
    from labkit.view import show_film

    if save:
        film.save(save)
    return show_film(film)


def _explored(commands: Sequence[Command], **options: Any) -> Any:
    from labkit.view import show_outcomes

    with _progress() as tell:
        found = make_exploration(commands, tell, **options)
    return show_outcomes(found, lambda number: replay(commands, found, number))


@contextlib.contextmanager
def _progress() -> Any:
    """A line that says how many orders are tried, where a person watches; it goes when all are."""
    from labkit.view import somebody_is_there

    if not somebody_is_there():
        yield lambda line: None
        return
    from IPython.display import clear_output

    def tell(line: str) -> None:
        done, _, waiting = line.partition(" ")
        clear_output(wait=True)
        print(f"{done} orders, at least {waiting.strip()} more", flush=True)

    yield tell
    clear_output()


# --- the process that does it ---------------------------------------------------------------------------


def _in_studio(job: str, on_line: Callable[[str], None] = lambda line: None) -> Any:
    """Have a job done; what it gave. An interrupt ends it, and all it leads."""
    folder = tempfile.mkdtemp(dir=names.folder(), prefix="studio-")
    order, result = os.path.join(folder, "job"), os.path.join(folder, "result")
    try:
        with open(order, "w", encoding="utf-8") as file:
            file.write(job)
        said = _run(order, result, on_line)
        if not os.path.exists(result):
            raise LabError(f"The recording ended before its time. {said[-300:].strip()}")
        with open(result, encoding="utf-8") as file:
            found = json.load(file)
    finally:
        for path in (order, result):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.rmdir(folder)
    if "error" in found:
        raise LabError(found["error"])
    return found


def _run(order: str, result: str, on_line: Callable[[str], None]) -> str:
    said: list[str] = []

    def heard(_: Any, stream: int, data: bytes) -> None:
        said.append(data.decode("utf-8", "replace"))

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [_PACKAGE, os.environ.get("PYTHONPATH")])),
    }
    command = Command(
        (sys.executable, "-m", "labkit.studio", order, result), name=CAMERA, cwd="/", env=environment
    )
    with interrupts.counted() as count:
        program = supervisor.connect().start(command, on_output=heard, records=True)
        try:
            _wait(program, count, said, on_line)
        finally:
            if not program.done:
                program.kill()
            program.wait_gone(timeout=5)
    if count.value:
        raise Interrupted("The recording was interrupted; its programs have been ended.")
    return "".join(said)


def _wait(program: Program, count: interrupts.Count, said: list[str], on_line: Callable[[str], None]) -> None:
    """Until the camera has ended. Interrupted, it removes what its programs could not, and ends."""
    while not program.done and not count.value:
        program.wait(_TELLS_EVERY_S)
        lines = "".join(said).splitlines()
        if lines:
            on_line(lines[-1])
    if not program.done:
        program.interrupt()
        patience = time.monotonic() + _PATIENCE_S
        while not program.done and count.value == 1 and time.monotonic() < patience:
            program.wait(interrupts.LOOKS_EVERY_S)
