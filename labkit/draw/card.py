"""A dark card with text and shapes on it, as SVG: what films and outcomes are drawn on. Pure.

All text is escaped, there is no script and no name of a part, and nothing is fetched.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from labkit.draw.columns import columns
from labkit.draw.palette import CARD, CARD_INK, CARD_SOFT, CARD_WARNING, GREY
from labkit.draw.widths import wrap
from labkit.words import printable

SANS = "Helvetica,Arial,sans-serif"
MONO = "ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace"
SIZE = 16
ROW = 26
PAD = 20
WIDEST = 820
"""As wide as the text of a page (`picture.py` says which)."""
LETTER = 0.605
"""The width of a letter of a monospaced font, in its size."""
BOLD = 0.6
"""At most so wide is the mean letter of a name, in its size."""
_NAMES = 24
"""So much wider a line of a sentence may be for the names in it, which are bold."""


def document(wide: float, high: float, inside: Iterable[str], said: str) -> str:
    """The whole picture; `said` is for those who hear it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(printable(said))}" '
        f'style="max-width:100%;height:auto" width="{wide:g}" height="{high:g}" '
        f'viewBox="0 0 {wide:g} {high:g}" font-family="{SANS}" font-size="{SIZE}">{"".join(inside)}</svg>'
    )


def card(wide: float, high: float) -> str:
    """What all is written on."""
    frame = f'x="0.5" y="0.5" width="{wide - 1:g}" height="{high - 1:g}" rx="10"'
    return f'<rect {frame} fill="{CARD}" stroke="{GREY}"/>'


def text(
    words: str,
    x: float,
    y: float,
    colour: str = CARD_INK,
    size: int = SIZE,
    mono: bool = False,
    more: str = "",
) -> str:
    """One line of text; but for what a program did or wrote (`mono`), words between backticks are names."""
    face = f' font-family="{MONO}"' if mono else ""
    escaped = html.escape(printable(words))
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}"{face}{more} '
        f'xml:space="preserve">{escaped if mono else _bold(escaped)}</text>'
    )


def _bold(escaped: str) -> str:
    parts = escaped.split("`")
    return "".join(
        f'<tspan font-weight="bold">{part}</tspan>' if n % 2 else part for n, part in enumerate(parts)
    )


def path(d: str, colour: str, wide: float, more: str = "") -> str:
    """A line."""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{wide:g}"{more}/>'


def shape(d: str, colour: str) -> str:
    """A filled shape."""
    return f'<path d="{d}" fill="{colour}"/>'


def width(words: str, size: int = SIZE, letter: float = LETTER) -> float:
    """About how wide these words are."""
    return columns(printable(words)) * size * letter


def rows(words: str, room: float) -> list[str]:
    """A sentence over lines of a width; a name that goes on in the next is a name there, too."""
    found: list[str] = []
    inside = False
    for row in wrap(printable(words), room, SIZE):
        found.append(f"`{row}" if inside else row)
        inside ^= row.count("`") % 2 == 1
    return found


def notes(said: Iterable[tuple[str, bool]], wide: float, y: float) -> tuple[list[str], float]:
    """Sentences below the rest, the warnings in their colour; and where they end."""
    parts = []
    for words, warns in said:
        for row in rows(words, wide - 2 * PAD - _NAMES):
            y += ROW - 3
            parts.append(text(row, PAD, y, CARD_WARNING if warns else CARD_SOFT))
    return parts, y
