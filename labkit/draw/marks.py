"""The marks of a film's rows, each of its own shape. Pure."""

from __future__ import annotations

from labkit.draw.card import path, shape
from labkit.draw.lanes import Mark
from labkit.draw.palette import CARD, CARD_INK, CARD_SOFT, CARD_WARNING


def mark(kind: Mark, x: float, y: float, size: float, colour: str) -> str:
    """A dot for a call, a square where a wait begins, a cross for what fails; `size` is half the width."""
    match kind:
        case "waits":
            box = f'x="{x - size:g}" y="{y - size:g}" width="{2 * size:g}" height="{2 * size:g}"'
            return f'<rect {box} rx="2" fill="{colour}"/>'
        case "failed" | "killed":
            return _dot(x, y, size + 2, CARD) + _cross(x, y, size * 0.85)
        case "signal":
            s = size + 2
            return shape(f"M{x:g} {y - s:g} L{x + s:g} {y:g} L{x:g} {y + s:g} L{x - s:g} {y:g} Z", CARD_INK)
        case "ends":
            return path(f"M{x - size - 2:g} {y:g} h{2 * size + 4:g}", colour, 4)
        case "says":
            ring = f'r="{size - 1:g}" fill="none" stroke="{CARD_SOFT}" stroke-width="2"'
            return _dot(x, y, size + 1, CARD) + f'<circle cx="{x:g}" cy="{y:g}" {ring}/>'
        case _:
            return _dot(x, y, size, colour)


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'


def _cross(x: float, y: float, s: float) -> str:
    d = f"M{x - s:g} {y - s:g} L{x + s:g} {y + s:g} M{x - s:g} {y + s:g} L{x + s:g} {y - s:g}"
    return path(d, CARD_WARNING, 2.8)
