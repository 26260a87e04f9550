"""What `explore` found as a still picture: each outcome with a bar that says how often it came. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.draw import card
from labkit.draw.card import LETTER, PAD, ROW, SIZE, WIDEST, path, text
from labkit.draw.columns import columns, cut
from labkit.draw.palette import CARD_INK, CARD_LINE, CARD_SOFT, CARD_WARNING, LANES
from labkit.words import count, printable

if TYPE_CHECKING:
    from labkit.exploration import Exploration, Outcome

MOST = 10
"""So many outcomes are drawn, and of each output so many lines."""
LINES = 5
_ENDING_LINES = 11
"""A deadlock of four, with what to do about it."""
_BAR, _GAP = 130, 24
_OUTPUT = 34
"""So many columns at most for what was written."""
_WELL = "all ended well"


@dataclass(frozen=True, slots=True)
class Entry:
    """One outcome, in words."""

    often: str
    part: float
    output: tuple[str, ...]
    ending: tuple[str, ...]
    bad: bool

    @property
    def height(self) -> float:
        return max(2, len(self.output), len(self.ending)) * (ROW - 3) + 16


def draw(found: Exploration) -> str:
    """The outcomes as an SVG document."""
    shown = found.outcomes[:MOST]
    outputs = [_output(outcome) for outcome in shown]
    wide = max((columns(line) for lines in outputs for line in lines), default=0)
    ends = PAD + _BAR + _GAP + max(70, wide * SIZE * LETTER) + _GAP
    entries = [_entry(o, out, found, WIDEST - PAD - ends) for o, out in zip(shown, outputs, strict=True)]
    heads = zip((PAD, PAD + _BAR + _GAP, ends), ("how often", "output", "how it ended"), strict=True)
    parts = [
        text(_heading(found), PAD, PAD + 16, more=' font-weight="bold"'),
        *(text(words, x, PAD + 48, CARD_SOFT, size=14) for x, words in heads),
    ]
    y = PAD + 58.0
    for entry in entries:
        parts += _drawn(entry, y, ends)
        y += entry.height
    said, y = card.notes(_below(found), WIDEST, y)
    return card.document(WIDEST, y + PAD - 8, [card.card(WIDEST, y + PAD - 8), *parts, *said], _heard(found))


def _heading(found: Exploration) -> str:
    orders = count(found.schedules, "order")
    if not found.complete:
        said = f"{orders} tried, not all there are"
    elif found.exhaustive:
        said = f"Every order was tried: {orders}"
    else:
        said = f"{orders}; any other comes to the same as one of these"
    return f"{said}. {count(len(found.outcomes), 'outcome')}."


def _entry(outcome: Outcome, output: tuple[str, ...], found: Exploration, room: float) -> Entry:
    all = sum(o.count for o in found.outcomes) or 1
    most = max(o.count for o in found.outcomes) or 1
    percent = 100 * outcome.count / all
    some = "under 1" if 0 < percent < 1 else str(round(percent))
    return Entry(
        often=f"{outcome.count:,} ({some} %)",
        part=outcome.count / most,
        output=output,
        ending=_ending(outcome, room),
        bad=bool(outcome.deadlock or outcome.crash or outcome.ending),
    )


def _output(outcome: Outcome) -> tuple[str, ...]:
    lines = [cut(printable(line), _OUTPUT) for line in outcome.output.rstrip("\n").split("\n")]
    return tuple(lines if len(lines) <= LINES else [*lines[: LINES - 1], "…"])


def _ending(outcome: Outcome, room: float) -> tuple[str, ...]:
    said = list(outcome.in_words()) or [_WELL]
    rows = [row for words in said for row in card.rows(words, room)]
    return tuple(rows if len(rows) <= _ENDING_LINES else [*rows[: _ENDING_LINES - 1], "…"])


def _drawn(entry: Entry, y: float, ends: float) -> Iterator[str]:
    """The number with its bar, what was written, how it ended."""
    yield path(f"M{PAD} {y:g} H{WIDEST - PAD}", CARD_LINE, 1)
    first = y + ROW - 1
    yield text(entry.often, PAD, first)
    yield _bar(PAD, first + 9, max(4.0, _BAR * entry.part), entry.bad)
    x = PAD + _BAR + _GAP
    if entry.output == ("",):
        yield text("(nothing)", x, first, CARD_SOFT)
    else:
        yield from (text(line, x, first + n * (ROW - 3), mono=True) for n, line in enumerate(entry.output))
    ink = CARD_WARNING if entry.bad else CARD_SOFT if entry.ending == (_WELL,) else CARD_INK
    yield from (text(line, ends, first + n * (ROW - 3), ink) for n, line in enumerate(entry.ending))


def _bar(x: float, y: float, wide: float, bad: bool) -> str:
    """Striped for what is bad: its colour is not the only sign."""
    if not bad:
        return f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="11" rx="3" fill="{LANES[0]}"/>'
    dashes = ' stroke-dasharray="7 3"'
    frame = f'x="{x + 0.5:g}" y="{y + 0.5:g}" width="{wide - 1:g}" height="10" rx="3"'
    line = path(f"M{x + 2:g} {y + 5.5:g} H{x + wide - 2:g}", CARD_WARNING, 7, dashes)
    return f'<rect {frame} fill="none" stroke="{CARD_WARNING}"/>{line}'


def _below(found: Exploration) -> Iterator[tuple[str, bool]]:
    if len(found.outcomes) > MOST:
        yield f"… and {count(len(found.outcomes) - MOST, 'more outcome')}", False
    for limit in found.limits:
        yield f"{limit.what}: {limit.because}", False


def _heard(found: Exploration) -> str:
    rows = [
        f"{outcome.count:,} times: {' '.join(_output(outcome)) or 'no output'}, "
        f"{'; '.join(outcome.in_words()) or _WELL}"
        for outcome in found.outcomes[:MOST]
    ]
    return " ".join([_heading(found), *(f"{row}." for row in rows)])
