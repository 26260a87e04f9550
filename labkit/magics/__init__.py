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

from labkit import room, supervisor
from labkit.errors import LabError
from labkit.magics import guard
from labkit.magics.screen import Screen

_PATIENCE_S = 10
_PARTS = ("cells", "pictures", "cameras", "answers")


def load(shell: Any) -> None:
    """Register everything with this IPython shell."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            importlib.import_module(f"labkit.magics.{part}").load(shell)
    shell.set_custom_exc((LabError,), _show)
    guard.begin()
    shell.events.register("pre_run_cell", _Beginning(shell).first_cell)


def unload(shell: Any) -> None:
    """End every program of the notebook and take the magics back."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            module = importlib.import_module(f"labkit.magics.{part}")
            if hasattr(module, "unload"):
                module.unload(shell)
    shell.set_custom_exc((), None)
    guard.end()


class _Beginning:
    """What is done before the first cell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def first_cell(self, *_: Any) -> None:
        """Say if there is no room, and wait for the owner: what is open when it begins is no learner's."""
        self._shell.events.unregister("pre_run_cell", self.first_cell)
        self._say_if_there_is_no_room()
        running = supervisor.current()
        if running is not None:
            running.wait_for(lambda: running.pid is not None or not running.alive, _PATIENCE_S)

    def _say_if_there_is_no_room(self) -> None:
        """Not where output is compared with what is stored: a headless run looks the same everywhere."""
        reason = os.environ.get(room.NO_ROOM)
        screen = Screen(self._shell)
        if reason is not None and screen.live:
            screen.write(
                f"This notebook has no room of its own: {reason.rstrip()}\n"
                "All lessons work; pids and IPC objects are those of the whole machine.\n"
            )


def _show(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """An error of ours is its sentence, without a traceback."""
    shell._showtraceback(kind, error, [str(error)])
