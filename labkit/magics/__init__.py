"""What a notebook sees: `%load_ext labkit`.

Loading registers the magics, shows a `LabError` as the one sentence it is, and starts the supervisor
in the background so that the first program need not wait for it.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from labkit.errors import LabError
from labkit.magics import guard

_PARTS = ("cells", "pictures", "cameras", "answers")


def load(shell: Any) -> None:
    """Register everything with this IPython shell."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            importlib.import_module(f"labkit.magics.{part}").load(shell)
    shell.set_custom_exc((LabError,), _show)
    guard.begin()


def unload(shell: Any) -> None:
    """End every program of the notebook and take the magics back."""
    for part in _PARTS:
        if importlib.util.find_spec(f"labkit.magics.{part}"):
            module = importlib.import_module(f"labkit.magics.{part}")
            if hasattr(module, "unload"):
                module.unload(shell)
    shell.set_custom_exc((), None)
    guard.end()


def _show(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """An error of ours is its sentence, without a traceback."""
    shell._showtraceback(kind, error, [str(error)])
