"""The modules of this package, each imported when something of its sort is first seen."""

from __future__ import annotations

import importlib
import sys
from typing import Any

SORTS = ("pipes", "sockets", "memory", "posix", "sysv", "files")
"""In the order they are asked."""

_found: dict[tuple[str, str], Any] = {}


def loaded(sort: str) -> bool:
    """Has anything of this sort been seen?"""
    return f"labkit.look.{sort}" in sys.modules


def find(sort: str, name: str) -> Any:
    """A function of one of the modules; None where it has none."""
    if (sort, name) not in _found:
        try:
            _found[sort, name] = getattr(importlib.import_module(f"labkit.look.{sort}"), name, None)
        except ModuleNotFoundError:
            _found[sort, name] = None
    return _found[sort, name]
