"""C programs of `tests/programs`, compiled once, for the tests of films and explorations."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.camera import Options, record
from labkit.exploration import Exploration
from labkit.explore import Options as Bounds
from labkit.explore import explore
from labkit.film import Film
from labkit.programs import Command

FOLDER = Path(__file__).parent / "programs"
_BUILT = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
"""In the folder of this run, which goes when all tests are done."""


@functools.cache
def compiled(name: str) -> str:
    """The path of a program of `tests/programs`."""
    target = _BUILT / name
    command = ["gcc", "-O1", "-pthread", "-o", target, FOLDER / f"{name}.c"]
    subprocess.run(command, check=True, capture_output=True)
    return str(target)


def c(name: str, *arguments: str) -> Command:
    """A compiled program as a command."""
    return Command((compiled(name), *arguments))


def shell(source: str) -> Command:
    return Command(("/bin/sh", "-c", source))


def python(source: str) -> Command:
    """Python source, run as a cell is: by the launcher."""
    from labkit import launcher

    path = _BUILT / f"{hashlib.sha256(source.encode()).hexdigest()[:12]}.py"
    path.write_text(source)
    return Command(
        (sys.executable, launcher.__file__, str(path), "cell [1]", "program"), env=dict(os.environ)
    )


def filmed(*commands: Command, **options: object) -> Film:
    return record(commands, Options(**options))  # type: ignore[arg-type]


def explored(*commands: Command, **options: object) -> Exploration:
    return explore(commands, Bounds(**options))  # type: ignore[arg-type]


def outputs(found: Exploration) -> dict[str, int]:
    """Each outcome's last line of output (or `deadlock`), and in how many schedules."""
    counts: dict[str, int] = {}
    for outcome in found.outcomes:
        key = "deadlock" if outcome.deadlock else outcome.output.strip()
        counts[key] = counts.get(key, 0) + outcome.count
    return counts
