"""How wide words are, and words over lines of a width. Pure.

The fonts of whoever looks are not known, and those that graphviz measured are not his: words are given
the room that they take in DejaVu Sans, the widest of the fonts that pages use. `ui/widths.js` does the
same sums.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from labkit.draw.columns import columns

LETTERS = (
    (30, " ,.'IJijl"),
    (36, "-/:;\\f|"),
    (41, '!()[]rt"'),
    (52, "*_`sz"),
    (57, "?Lc"),
    (61, "FPTYaekovxy"),
    (65, "$0123456789EKSbdghnpqu{}"),
    (70, "ABCRVXZ"),
    (77, "DGHNU"),
    (82, "&OQw"),
    (86, "#+<=>M^~"),
    (98, "%m@W"),
)
"""Letters by their width in DejaVu Sans, in hundredths of its size."""
_WIDTHS = {letter: width / 100 for width, letters in LETTERS for letter in letters}
_OTHER, _WIDE = 0.75, 1.0
_BOLD = 1.12
_MONO = 0.605


def width(words: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """At most so wide are these words, in a font of this size."""
    if mono:
        return columns(words) * _MONO * size
    return sum(map(_letter, words)) * size * (_BOLD if bold else 1)


def _letter(letter: str) -> float:
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    if unicodedata.combining(letter):
        return 0.0
    return _WIDE if letter == "…" or columns(letter) == 2 else _OTHER


def wrap(words: str, room: float, size: float, most: int | None = None) -> list[str]:
    """Words over lines, each at most so wide; at most so many, and then the last tells that it is cut."""
    lines: list[str] = []
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines += _pieces(word, room, size)
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], fit(f"{lines[most - 1]} …", room, size, " …")]
    return lines


def fit(words: str, room: float, size: float, end: str = "…", *, bold: bool = False) -> str:
    """The beginning of these words, as much as has room."""
    if width(words, size, bold=bold) <= room:
        return words
    kept = words.removesuffix(end)
    while kept and width(kept + end, size, bold=bold) > room:
        kept = kept[:-1]
    return kept.rstrip() + end


def widest(lines: Sequence[str], size: float, *, bold: bool = False) -> float:
    """The width of the widest of these lines."""
    return max((width(line, size, bold=bold) for line in lines), default=0.0)


def _pieces(word: str, room: float, size: float) -> list[str]:
    """A word that is wider than a line goes on in the next."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and width(pieces[-1] + letter, size) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
