"""What an answer raised, as its author needs it: the lines of the cell, and no others.

Most exceptions are told as data, by whoever called the answer (`nursery.py`). Those of a thread or of another
Python are printed by Python itself, as text that begins with `Traceback`: there the lines of libraries are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labkit.reports import printable

CELL = "your cell"
"""What Python calls an answer's text."""
MOST_FRAMES = 6
_FRAME = re.compile(r' +File "(.*)", line (\d+)(?:, in (.*))?$')


def told(raised: dict[str, Any], source: str) -> tuple[str, str]:
    """An exception as a sentence, and as lines to be shown below it."""
    kind, message = str(raised.get("type")), str(raised.get("message"))
    lines = [*_frames(raised.get("frames") or [], source.splitlines())]
    lines.append(f"{kind}: {message}" if message else kind)
    return f"Your code raised {printable(kind, 60)}.", printable("\n".join(lines))


def _frames(frames: Iterable[Any], source: Sequence[str]) -> Iterator[str]:
    # What a check has put behind the cell is none of their lines.
    theirs = [(number, name) for number, name in frames if 0 < number <= len(source)]
    for number, function in theirs[-MOST_FRAMES:]:
        where = "" if function == "<module>" else f", in {function}"
        yield f"line {number}{where}"
        yield f"    {source[number - 1].strip()}"


def without_libraries(text: str, source: str) -> str:
    """Printed text in which tracebacks show the lines of the cell, and no others."""
    shown: list[str] = []
    rows, inside = source.splitlines(), False
    for line in text.splitlines():
        frame = _FRAME.match(line)
        inside = line.startswith("Traceback (") or (inside and line.startswith(" "))
        if not inside or line.startswith("Traceback ("):
            shown.append(line)
        elif frame and frame[1] == CELL:
            shown += (f"  {each}" for each in _frames([(int(frame[2]), frame[3] or "<module>")], rows))
    return "\n".join(shown)
