"""labkit shows a learner of inter-process communication what the Linux kernel itself knows.

A map of the package. Data flows down this list, and a module imports only from what stands
before it (`tests/test_layers.py` sees to that):

    kernel/        the only code that touches the Linux kernel; one file per interface
    limits.py      what a machine would not show; pure data
    scene.py       one frozen picture of some processes and all they share; pure data
    words.py       how calls, amounts and names are said; pure
    waits/         a Scene -> who waits for whom, and which waits can never end; pure
    look/          one look: the kernel's facts -> the objects of a Scene; one file per sort of object
    xray.py        pids -> a Scene
    focus.py       a Scene -> the part of it that was asked for by name; pure
    changes.py     what differs between two scenes; pure
    draw/          a Scene -> text, graphviz, SVG; pure
    names.py       names, keys and paths that belong to one notebook
    room.py        a command -> the same command in namespaces of its own
    compiler.py    C source -> a program, and gcc's words against the cell's lines
    launcher.py    runs a cell's Python source as `__main__`; imports nothing of ours
    programs.py    a cell's source -> a command (Python, C, shell)
    owner/         the process that starts and owns every program of a notebook
    process.py     one program, as the notebook sees it
    supervisor.py  the notebook's hold on the owner of all programs
    kernelspec/    the Jupyter kernel “Linux IPC”: ipykernel in a room, under guards
    pages.py       the front end, and a page that plays a film without a server
    film.py        a Film: a Scene for every system call; pure data
    exploration.py  all that can come out of some programs, and how often; pure data
    conductor/     leads programs so that one process runs at a time, and knows who is asleep
    decode/        a system call -> a line as a teacher would write it
    explore/       program(s) -> an Exploration, over every schedule
    camera/        program(s) -> a Film
    studio.py      a process of its own, in which both are made for a notebook
    feed.py        the owner's pictures -> the views that want them
    view.py, ui/   a Scene or a Film -> a live widget
    reports.py     what a judge says about an answer, and the text a learner reads; pure
    exercises.py   exercises and their criteria, as an author writes them and a course keeps them
    judge/         an answer -> a report, found out from outside by real processes
    notebooks.py   notebook files as plain data, and the answers in them
    building.py    masters -> exercises
    nbval_plugin.py  what nbval lacks to be trusted with our notebooks
    masters.py     what a course's notebooks say of an exercise: its first version, its solution
    progress.py    what a learner has tried, opened and solved
    checking.py    one learner's notebook -> what nbval says of each exercise
    grading/       many answers -> a gradebook
    magics/        what a notebook sees
    cli/           what a terminal sees

Three cameras look at programs: `watch` (live), `film` (a frame a system call) and `explore` (every
order in which things could have gone). `xray` is the single picture all three are made of.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.scene import Scene

__all__ = [
    "LabError",
    "explore",
    "film",
    "key",
    "name",
    "path",
    "programs",
    "stop",
    "wait",
    "watch",
    "xray",
]

__version__ = "0.1.0"


def xray(*processes: int | str, **options: Any) -> Scene:
    """One picture, now, of these processes (pids), their descendants and all they share.

    In a notebook its programs can be given by name; with nothing given, it is all of them.
    """
    pids = [p for p in processes if isinstance(p, int)]
    if pids and len(pids) == len(processes):
        from labkit.xray import xray

        return xray(*pids, **options)
    if pids:
        raise LabError("Give either pids or names of programs, not both.")
    from labkit.magics import pictures

    return pictures.xray(*map(str, processes), **options)


def watch(*names: str, **options: Any) -> Any:
    """A live picture of the notebook's running programs, or of those named."""
    from labkit.view import watch

    return watch(*names, **options)


def film(*names: str, **options: Any) -> Any:
    """A film of saved programs: one frame for every system call that matters."""
    from labkit.magics.cameras import film

    return film(*names, **options)


def explore(*names: str, **options: Any) -> Any:
    """Every outcome of saved programs, over every order in which they could go."""
    from labkit.magics.cameras import explore

    return explore(*names, **options)


def programs() -> Any:
    """The programs of this notebook: name, pid, state, and how they ended."""
    from labkit.magics.cells import programs

    return programs()


def wait(*names: str, timeout: float | None = None) -> Any:
    """Wait until the named programs (or all) have ended."""
    from labkit.magics.cells import wait

    return wait(*names, timeout=timeout)


def stop(*names: str) -> None:
    """End the named programs (or all), politely first."""
    from labkit.magics.cells import stop

    stop(*names)


def name(word: str) -> str:
    """A name for a POSIX object that is this notebook's alone: `/…-counter`."""
    from labkit.names import name

    return name(word)


def key(word: str) -> int:
    """A System V key that is this notebook's alone."""
    from labkit.names import key

    return key(word)


def path(word: str) -> str:
    """A path for a FIFO or a socket that is this notebook's alone."""
    from labkit.names import path

    return path(word)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext labkit`."""
    from labkit.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext labkit`: ends every program of the notebook."""
    from labkit.magics import unload

    unload(shell)


class _Package(types.ModuleType):
    """Lets `labkit.xray` stay the function after the module `labkit.xray` was imported."""

    def __setattr__(self, attribute: str, value: Any) -> None:
        if not (attribute in __all__ and isinstance(value, types.ModuleType)):
            super().__setattr__(attribute, value)


sys.modules[__name__].__class__ = _Package
