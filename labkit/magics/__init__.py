"""What a notebook sees: `%load_ext labkit`.

Loading registers the magics, shows a `LabError` as the one sentence it is, and starts the supervisor
in the background so that the first program need not wait for it. A notebook that was to have a room and
has none says so once, under the first cell that a person runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from labkit import room
from labkit.errors import LabError
from labkit.magics import guard
from labkit.magics.screen import Screen

_PARTS = ("cells", "pictures", "cameras", "answers")


def load(shell: Any) -> None:
    """Register everything with this IPython shell."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            importlib.import_module(f"labkit.magics.{part}").load(shell)
    shell.set_custom_exc((LabError,), _show)
    guard.begin()
    _say_if_there_is_no_room(shell)


def unload(shell: Any) -> None:
    """End every program of the notebook and take the magics back."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            module = importlib.import_module(f"labkit.magics.{part}")
            if hasattr(module, "unload"):
                module.unload(shell)
    shell.set_custom_exc((), None)
    guard.end()


def _say_if_there_is_no_room(shell: Any) -> None:
    """Not where output is compared with what is stored: a headless run looks the same everywhere."""
    reason = os.environ.get(room.NO_ROOM)
    if reason is None:
        return

    def say(*_: Any) -> None:
        shell.events.unregister("pre_run_cell", say)
        screen = Screen(shell)
        if screen.live:
            screen.write(
                f"This notebook has no room of its own: {reason.rstrip()}\n"
                "All lessons work; pids and IPC objects are those of the whole machine.\n"
            )

    shell.events.register("pre_run_cell", say)


def _show(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """An error of ours is its sentence, without a traceback."""
    shell._showtraceback(kind, error, [str(error)])
