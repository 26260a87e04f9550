"""What a machine would not show, and why: pure data, and all of a Scene that an Exploration needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Something this machine would not show, and why."""

    what: str
    because: str
