"""What an answer's side says of itself, read with suspicion: plain data in, plain data out."""

from __future__ import annotations

import base64
import contextlib
from typing import Any


def fits(claim: dict[str, Any], main: bool) -> bool:
    """True for what the nursery would say: only a child strays, only the process itself says the rest."""
    if "raised" in claim:
        raised = claim["raised"]
        return main and isinstance(raised, dict) and _known_fit(raised) and _frames_fit(raised.get("frames"))
    return main != ("stray" in claim)


def _known_fit(raised: dict[str, Any]) -> bool:
    known = raised.get("known")
    return isinstance(known, list) and bool(known) and all(type(name) is str for name in known)


def _frames_fit(frames: Any) -> bool:
    return isinstance(frames, list) and all(
        isinstance(frame, list) and len(frame) == 2 and type(frame[0]) is int and type(frame[1]) is str
        for frame in frames
    )


def value(claimed: Any) -> Any:
    """The value that was returned, as far as it is plain data."""
    try:
        return _decoded(claimed)
    except RecursionError:
        return Other("list, nested too deeply")


def _decoded(told: Any) -> Any:
    if isinstance(told, list):
        return [_decoded(item) for item in told]
    return _special(told) if isinstance(told, dict) else told


def _special(told: dict[str, Any]) -> Any:
    with contextlib.suppress(ValueError, TypeError):
        if "bytes" in told:
            return base64.b64decode(told["bytes"])
        if "set" in told:
            return frozenset(map(_decoded, told["set"]))
        if "dict" in told:
            return {str(key): _decoded(item) for key, item in told["dict"]}
    return Other(str(told.get("other")))


class Other(str):
    """A value that is no plain data: only the name of its type is known. Equal to nothing."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


def kind(value: Any) -> str:
    """What sort of value was returned, in words: `None`, `a value of type list`."""
    name = str.__str__(value) if isinstance(value, Other) else type(value).__name__
    return "None" if value is None else f"a value of type {name}"
