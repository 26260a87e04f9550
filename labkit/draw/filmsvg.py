"""A film as a still picture, in the manner of `git log --graph`. Pure.

At the left a lane for each process, at the right what it did, a row for each frame. A bar is a wait, a
curve that leaves a lane a fork, an arrow a wake-up; what is said by a colour is said by a shape, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.draw import card
from labkit.draw.card import BOLD, LETTER, PAD, ROW, SIZE, WIDEST, path, text, width
from labkit.draw.columns import columns, cut
from labkit.draw.lanes import Lane, Reel, Row, Wait, reel
from labkit.draw.marks import mark
from labkit.draw.palette import (
    CARD,
    CARD_AMBER,
    CARD_INK,
    CARD_LINE,
    CARD_SOFT,
    CARD_WARNING,
    LANES,
)
from labkit.draw.picture import inset
from labkit.focus import renumbered
from labkit.words import count, listing, printable

if TYPE_CHECKING:
    from labkit.film import Film

MOST = 40
"""So many rows are drawn: the first and the last; a line between them says how many are not."""
LAST = 10
_PITCH, _ALL_LANES = 30, 300
_NARROWEST, _FOR_SENTENCES = 420, 640
"""At least so wide; the second where there are sentences below."""
_NAME = 15
"""The size of a process's name."""
_LONGEST_NAME = 18
_SAYS = 5
"""So many columns stand before what a program says."""
_FOR_EVER = " for ever"
_LITERAL = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1""")
_LEAST = 12
"""So much of what was written or read is left, where there is no room for more."""
_HEARD = 3000
"""So much of the film's text a screen reader is given."""
_INK = {"waits": CARD_AMBER, "killed": CARD_WARNING, "failed": CARD_WARNING, "ends": CARD_SOFT}


def draw(film: Film) -> str:
    """The film as an SVG; where nobody could go on, its last scene stands below."""
    strip = Strip(reel(film))
    said, end = card.notes(strip.reel.ends, strip.width, strip.bottom + (6 if strip.reel.ends else -4))
    wide, high, below = strip.width, end + PAD, 0.0
    parts = [card.card(wide, high), *strip.parts(), *said]
    if strip.reel.stuck and film.scenes and film.scenes[-1].processes:
        scene, scene_wide, below = inset(renumbered(film.scenes[-1]), 0, high + 4, WIDEST)
        parts.append(scene)
        wide = max(wide, round(scene_wide))
    return card.document(wide, high + below, parts, _heard(film))


class Strip:
    """The rows and lanes of a film, each in its place."""

    def __init__(self, shown: Reel) -> None:
        self.reel = shown
        rows = len(shown.rows)
        self.hidden = range(MOST - LAST, rows - LAST) if rows > MOST + 1 else range(0)
        self.visible = [n for n in range(rows) if n not in self.hidden]
        self.for_ever = {
            wait.start for lane in shown.lanes for wait in lane.waits if shown.stuck and wait.end is None
        }
        acting = {shown.rows[n].who for n in self.visible}
        self.lanes = [lane for lane in shown.lanes if lane.who in acting]
        self.colour = {lane.who: LANES[n % len(LANES)] for n, lane in enumerate(shown.lanes)}
        self._across()

    def _across(self) -> None:
        """Where lanes, names and calls stand, and how wide all is."""
        pitch = min(_PITCH, _ALL_LANES / max(1, len(self.lanes)))
        self.size = min(6.0, pitch * 0.4)
        """Half the width of a mark."""
        self.x = {lane.who: PAD + 8 + n * pitch for n, lane in enumerate(self.lanes)}
        self.names = PAD + 8 + len(self.lanes) * pitch + 4
        self.calls = self.names + 18 + max((width(_name(who), _NAME, BOLD) for who in self.x), default=0)
        wanted = max((self._columns(n) for n in self.visible), default=0) * SIZE * LETTER
        self.width = round(
            max(_FOR_SENTENCES if self.reel.ends else _NARROWEST, min(WIDEST, self.calls + wanted + PAD))
        )
        self.room = int((self.width - PAD - self.calls) / (SIZE * LETTER) + 0.1)
        self.bottom = self.y(len(self.reel.rows)) - 8

    def _columns(self, row: int) -> int:
        says = self.reel.rows[row].mark == "says"
        return columns(self._words(row)) + (_SAYS if says else 0)

    def _words(self, row: int) -> str:
        return printable(self.reel.rows[row].text) + (_FOR_EVER if row in self.for_ever else "")

    def y(self, row: int) -> float:
        """The height of a row; that of the line between for one that is not shown."""
        if row in self.hidden:
            row = self.hidden.start
        elif self.hidden and row >= self.hidden.stop:
            row -= len(self.hidden) - 1
        return PAD + ROW / 2 + row * ROW

    def parts(self) -> Iterator[str]:
        """All that is drawn, from the back to the front."""
        waits = [(lane, wait) for lane in self.lanes for wait in lane.waits]
        for lane in self.lanes:
            yield from self._lane(lane)
        for lane, wait in waits:
            yield from self._wait(lane, wait)
        for lane, wait in waits:
            yield from self._wake(lane, wait)
        for n in self.visible:
            row = self.reel.rows[n]
            yield mark(row.mark, self.x[row.who], self.y(n), self.size, self._mark_colour(n))
            yield from self._row(n, row, self.y(n) + SIZE * 0.36)
        yield from self._torn()

    # --- lanes --------------------------------------------------------------------------------------

    def _lane(self, lane: Lane) -> Iterator[str]:
        """From its fork, or its first row, to its end or the bottom."""
        x, colour = self.x[lane.who], self.colour[lane.who]
        start = self._start(lane)
        if lane.parent in self.x and lane.born is not None and lane.born not in self.hidden:
            yield _elbow(self.x[lane.parent], start, x, start + 10, colour, 2.5)
            start += 10
        yield path(f"M{x:g} {start:g} V{self.y(lane.last) if lane.ended else self.bottom:g}", colour, 2.5)

    def _start(self, lane: Lane) -> float:
        return self.y(lane.first if lane.born is None else lane.born)

    def _wait(self, lane: Lane, wait: Wait) -> Iterator[str]:
        """A bar until it is woken, or goes on, or to the bottom."""
        over = wait.end if wait.woken is None else wait.woken
        start, end = self.y(wait.start), self.bottom if over is None else self.y(over)
        colour = CARD_WARNING if wait.start in self.for_ever else CARD_AMBER
        if end > start:
            line = f"M{self.x[lane.who]:g} {start:g} V{end:g}"
            yield path(line, colour, self.size * 1.5, ' stroke-linecap="round"')

    def _wake(self, lane: Lane, wait: Wait) -> Iterator[str]:
        """From the frame that woke to the frame that goes on."""
        if wait.woken is None or wait.end is None or wait.woken in self.hidden or wait.end in self.hidden:
            return
        x, start, end = self.x[lane.who], self.y(wait.woken), self.y(wait.end) - self.size - 1
        yield path(f"M{x:g} {start + 1:g} V{end:g}", CARD, 5)
        yield _elbow(self.x[self.reel.rows[wait.woken].who], start, x, end - 6, CARD_INK, 1.8)
        yield card.shape(f"M{x:g} {end:g} l-5 -8 h10 z", CARD_INK)

    def _torn(self) -> Iterator[str]:
        """Where rows are left out: dots in the lanes, and how many."""
        if not self.hidden:
            return
        y = self.y(self.hidden.start)
        yield f'<rect x="{PAD - 4:g}" y="{y - 7:g}" width="{self.names - PAD:g}" height="14" fill="{CARD}"/>'
        for lane in self.lanes:
            if self._start(lane) < y < (self.y(lane.last) if lane.ended else self.bottom):
                yield path(
                    f"M{self.x[lane.who]:g} {y - 6:g} v13", CARD_SOFT, 2.5, ' stroke-dasharray="2.5 3"'
                )
        more = f"… {count(len(self.hidden), 'more row')} …"
        yield text(more, self.calls, y + SIZE * 0.36, CARD_SOFT)

    # --- rows ---------------------------------------------------------------------------------------

    def _mark_colour(self, row: int) -> str:
        if self.reel.rows[row].mark == "waits":
            return CARD_WARNING if row in self.for_ever else CARD_AMBER
        return self.colour[self.reel.rows[row].who]

    def _row(self, n: int, row: Row, y: float) -> Iterator[str]:
        """Who, where that is another than in the row above; and what."""
        if n in (0, self.hidden.stop) or self.reel.rows[n - 1].who != row.who:
            bold = ' font-weight="bold"'
            yield text(_name(row.who), self.names, y, self.colour[row.who], size=_NAME, more=bold)
        x, room = self.calls, self.room
        if row.mark == "says":
            yield text("says", x, y, CARD_SOFT, mono=True)
            x, room = x + _SAYS * SIZE * LETTER, room - _SAYS
        words = cut(_with_its_end(self._words(n), room), room)
        if row.mark == "says":
            box = f'x="{x - 6:g}" y="{y - 17:g}" width="{width(words) + 12:g}" height="23" rx="5"'
            yield f'<rect {box} fill="{CARD_LINE}"/>'
        ink = CARD_WARNING if n in self.for_ever else _INK.get(row.mark, CARD_INK)
        yield text(words, x, y, ink, mono=True)


def _with_its_end(words: str, room: int) -> str:
    """Of a line that is too long its bytes give way: that it waits, or its result, stands behind them."""
    bytes_in_it = max(_LITERAL.finditer(words), key=lambda found: len(found[2]), default=None)
    too_many = columns(words) - room
    if bytes_in_it is None or too_many <= 0:
        return words
    whole = bytes_in_it[2].removesuffix("…")
    left = whole[: max(_LEAST, len(whole) - too_many - 1)].rstrip("\\")
    return f"{words[: bytes_in_it.start(2)]}{left}…{words[bytes_in_it.end(2) :]}"


def _elbow(x1: float, y1: float, x2: float, y2: float, colour: str, wide: float) -> str:
    """Out of one lane at the height of a row, and round the corner down another."""
    bend = min(10.0, abs(x2 - x1) / 2)
    side = x2 - bend if x2 > x1 else x2 + bend
    return path(f"M{x1:g} {y1:g} H{side:g} Q{x2:g} {y1:g} {x2:g} {y1 + bend:g} V{y2:g}", colour, wide)


def _name(who: str) -> str:
    """Of `server/child 2` the end matters more than the beginning."""
    who = printable(who)
    return who if len(who) <= _LONGEST_NAME else "…" + who[1 - _LONGEST_NAME :]


def _heard(film: Film) -> str:
    """For a screen reader: all that can be seen."""
    names = listing([printable(program.name) for program in film.programs])
    told = film.told()
    rest = "" if len(told) <= _HEARD else " …"
    return " ".join(f"A film of {names}, {count(len(film.frames), 'frame')}: {told[:_HEARD]}{rest}".split())
