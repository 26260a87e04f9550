"""How many columns a line takes, and a line cut to so many. Pure."""

from __future__ import annotations

import unicodedata


def columns(line: str) -> int:
    """So many columns at most: terminals and fonts differ about letters far from ours."""
    return sum(_cells(character) for character in line)


def _cells(character: str) -> int:
    wide = ord(character) >= 0x2E80 or unicodedata.east_asian_width(character) in "WF"
    return 2 if wide else 1


def cut(line: str, most: int) -> str:
    """The line, its end left out where it takes more than `most` columns."""
    if columns(line) <= most:
        return line
    kept, room = "", most - 1
    for character in line:
        room -= _cells(character)
        if room < 0:
            break
        kept += character
    return kept + "…"
