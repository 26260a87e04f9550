"""What a judge says about an answer: pure data, and the text a learner reads.

The text is the same, byte for byte, whenever the same answer is judged: no times, no pids.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

WIDTH = 79


@dataclass(frozen=True, slots=True)
class Result:
    """One criterion, and whether it held."""

    criterion: str
    """What a right answer does, as a learner reads it: `writes everything when a signal comes`."""
    held: bool
    out_of: int
    seen: str = ""
    """What was seen, in a sentence."""
    picture: str = ""
    """Lines shown as they are: a traceback, who waited for whom, what was printed."""

    @property
    def points(self) -> int:
        """All or nothing: a criterion is as small as its points. What is worth nothing takes one away."""
        return self.out_of if self.held else -(not self.out_of)

    @property
    def silent(self) -> bool:
        """True for what is worth no points and held: a learner need not read it."""
        return self.held and not self.out_of

    def text(self) -> str:
        """`✓ criterion: what was seen. [1/1]`, wrapped, with its picture below."""
        said = f"{self.criterion}: {self.seen}" if self.seen else self.criterion
        mark = "✓" if self.held else "✗"
        worth = f" [{self.points}/{self.out_of}]" if self.out_of else "" if self.held else f" [{self.points}]"
        line = f"{mark} {said}{worth}"
        head = textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=True)
        return "\n".join([head, *_indented(self.picture)])


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found out about one answer to one exercise."""

    exercise: str
    results: tuple[Result, ...]

    @property
    def points(self) -> int:
        """Never all of them while something does not hold."""
        return max(0, sum(result.points for result in self.results))

    @property
    def out_of(self) -> int:
        return sum(result.out_of for result in self.results)

    @property
    def solved(self) -> bool:
        return bool(self.results) and all(result.held for result in self.results)

    def text(self) -> str:
        """The whole report, as a learner reads it."""
        shown = (result.text() for result in self.results if not result.silent)
        lines = [self.exercise, *shown, self.last_line()]
        return "\n".join(lines) + "\n"

    def last_line(self) -> str:
        """The sum, and what to do next."""
        if self.solved:
            return f"Solved: {self.points} of {self.out_of} points."
        return f"{self.points} of {self.out_of} points. %hint {self.exercise} opens a hint."

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        results = tuple(Result(**result) for result in data["results"])
        return cls(exercise=data["exercise"], results=results)


def printable(text: str, most: int = 2000) -> str:
    """Text from an answer made safe to show: no escapes, no tricks with direction, not too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else _visible(c) for c in text[: most + 1])
    return shown if len(text) <= most else shown[:most] + "…"


def _visible(character: str) -> str:
    if character == "\t":
        return "    "
    return character.encode("unicode_escape").decode("ascii")


def _indented(picture: str) -> list[str]:
    return [f"    {line}".rstrip() for line in picture.splitlines()]
