"""An SVG of a sketch without graphviz: in the same three columns as with it. Pure."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from labkit.draw.palette import AMBER, BAR_EMPTY, BAR_FULL, FILLS, GREY, INK, SIZE, STROKES, WARNING
from labkit.draw.seats import Seat, seats
from labkit.draw.sketch import Box, Line, Sketch
from labkit.draw.widths import widest, width, wrap
from labkit.words import printable

SMALL = SIZE - 2
BAR = 150
"""The width of a level."""
_ROW, _PORT, _SIDE = 20, 24, 10
_GAP, _LANE = 26, 60
_SENTENCES = 700
_FONT = "Helvetica, Arial, sans-serif"
_COLUMNS: tuple[Seat, ...] = ("left", "middle", "right")


@dataclass(slots=True)
class Placed:
    """A box and where it stands."""

    box: Box
    seat: Seat
    x: float
    width: float
    height: float
    y: float = 0.0
    ports: dict[str, int] = field(default_factory=dict)
    """So many lines end at its left and right side."""
    taken: dict[str, int] = field(default_factory=dict)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    def port(self, side: str) -> tuple[float, float]:
        """The next free place at a side."""
        n = self.taken[side] = self.taken.get(side, 0) + 1
        step = self.height / (self.ports.get(side, 1) + 1)
        return self.x + (self.width if side == "right" else 0), self.y + n * step


def inside(box: Box) -> int:
    """At most so wide are the words of a box."""
    said = [
        width(box.title, SIZE, bold=True),
        widest(box.lines, SMALL),
        width(box.content, SMALL, mono=True),
        BAR if box.level else 0,
    ]
    return math.ceil(max(said))


def draw(drawn: Sketch) -> str:
    """The sketch as an SVG document."""
    places, wide = _places(drawn)
    bottom = max((p.y + p.height for p in places.values()), default=0.0) + _GAP
    lines, bottom = _lines(drawn, places, bottom)
    notes, height = _notes(drawn, bottom)
    if notes:
        wide = max(wide, _SENTENCES + 2 * _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{height:g}" '
        f'viewBox="0 0 {wide:g} {height:g}" font-family="{_FONT}" font-size="{SIZE}">'
        + "".join([*lines, *map(_box, places.values()), *notes])
        + "</svg>"
    )


# --- places -----------------------------------------------------------------------------------------


def _places(drawn: Sketch) -> tuple[dict[str, Placed], float]:
    """Where each box stands, and the width of it all."""
    columns = seats(drawn)
    places: dict[str, Placed] = {}
    x = float(_LANE)
    for column in _COLUMNS:
        boxes = [box for box in drawn.boxes if columns[box.id] == column]
        if boxes:
            wide = max(map(inside, boxes)) + 2 * _SIDE
            places |= {box.id: Placed(box, column, x, wide, _height(box)) for box in boxes}
            x += wide + _gutter(drawn, columns)
    _count(drawn, places)
    _stack(drawn, places)
    right = max((p.x + p.width for p in places.values()), default=0.0)
    return places, right + _LANE


def _height(box: Box) -> float:
    return (1 + len(box.lines) + bool(box.level) + bool(box.content)) * _ROW + 14


def _gutter(drawn: Sketch, columns: dict[str, Seat]) -> float:
    """Between two columns: the widest of the words beside a line has room."""
    across = [line.label for line in drawn.lines if columns[line.start] != columns[line.end]]
    return widest(across, SMALL) + 80


def _count(drawn: Sketch, places: dict[str, Placed]) -> None:
    """A side is high enough for the lines that end at it."""
    for line in drawn.lines:
        if (sides := _sides(line, places)) is not None:
            for id, side in zip((line.start, line.end), sides, strict=True):
                places[id].ports[side] = places[id].ports.get(side, 0) + 1
    for place in places.values():
        place.height = max(place.height, max(place.ports.values(), default=0) * _PORT + _PORT)


def _sides(line: Line, places: dict[str, Placed]) -> tuple[str, str] | None:
    """The sides at which a line between a process and an object ends; None for other lines."""
    a, b = places[line.start], places[line.end]
    if (a.seat == "middle") == (b.seat == "middle"):
        return None
    return ("right", "left") if a.x < b.x else ("left", "right")


def _stack(drawn: Sketch, places: dict[str, Placed]) -> None:
    """Each column in the order of what its boxes are joined to, as near to it as they can stand."""
    columns = {c: [p for p in places.values() if p.seat == c] for c in _COLUMNS}
    for column in columns.values():
        for above, below in itertools.pairwise(column):
            below.y = above.y + above.height + _GAP
    for _ in range(3):
        for seat in ("left", "right", "middle"):
            _settle(columns[seat], drawn, places)
    top = min((p.y for p in places.values()), default=0.0)
    for place in places.values():
        place.y = round(place.y - top + _GAP)


def _settle(column: list[Placed], drawn: Sketch, places: dict[str, Placed]) -> None:
    wishes = {p.box.id: _wish(p, drawn, places) for p in column}
    floor, apart = -math.inf, 0.0
    for place in sorted(column, key=lambda p: wishes[p.box.id]):
        place.y = max(wishes[place.box.id] - place.height / 2, floor)
        floor = place.y + place.height + _GAP
        apart += place.middle - wishes[place.box.id]
    for place in column:
        place.y -= apart / len(column)


def _wish(place: Placed, drawn: Sketch, places: dict[str, Placed]) -> float:
    """The mean height of what it is joined to."""
    id = place.box.id
    ends = [(line.start, line.end) for line in drawn.lines if id in (line.start, line.end)]
    heights = [places[b if a == id else a].middle for a, b in ends if a != b]
    return sum(heights) / len(heights) if heights else place.middle


# --- boxes ------------------------------------------------------------------------------------------


def _box(place: Placed) -> str:
    box, x = place.box, place.x
    fill = WARNING if box.dead else FILLS[box.style]
    corner = 0 if box.style == "object" else 10
    frame = f'x="{x:g}" y="{place.y:g}" width="{place.width:g}" height="{place.height:g}" rx="{corner}"'
    y = place.middle - _height(box) / 2 + _ROW
    parts = [f'<rect {frame} fill="{fill}"/>', _text(box.title, x + _SIDE, y, INK, "bold", size=SIZE)]
    if box.level is not None:
        parts.append(_bar(x + _SIDE, y + 8, *box.level))
        y += _ROW
    for line in box.lines:
        y += _ROW
        parts.append(_text(line, x + _SIDE, y, INK))
    if box.content:
        parts.append(_text(box.content, x + _SIDE, y + _ROW, INK, family="monospace"))
    return "".join(parts)


def _text(
    text: str,
    x: float,
    y: float,
    colour: str,
    weight: str = "normal",
    family: str = "",
    anchor: str = "start",
    size: int = SMALL,
) -> str:
    face = f' font-family="{family}"' if family else ""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}"{face} xml:space="preserve">{html.escape(printable(text))}</text>'
    )


def _bar(x: float, y: float, part: int, whole: int) -> str:
    filled = min(max(round(BAR * part / whole), 2 if part else 0), BAR)
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BAR}" height="12" fill="{BAR_EMPTY}"/>'
        f'<rect x="{x:g}" y="{y:g}" width="{filled}" height="12" fill="{BAR_FULL}"/>'
    )


# --- lines ------------------------------------------------------------------------------------------


def _lines(drawn: Sketch, places: dict[str, Placed], bottom: float) -> tuple[list[str], float]:
    """All lines, those that lead to higher boxes first; and where what runs under everything ends."""
    parts = []
    for line in sorted(drawn.lines, key=lambda one: places[one.start].middle + places[one.end].middle):
        a, b = places[line.start], places[line.end]
        sides = _sides(line, places)
        if sides is not None:
            parts.append(_across(line, a, b, sides))
        elif a.seat == b.seat:
            parts.append(_beside(line, a, b, places.values()))
        else:
            parts.append(_beneath(line, a, b, bottom))
            bottom += _GAP
    return parts, bottom


def _across(line: Line, a: Placed, b: Placed, sides: tuple[str, str]) -> str:
    """Between a process and an object: straight under its words, which stand at the process, then over."""
    (x1, y1), (x2, y2) = a.port(sides[0]), b.port(sides[1])
    way = 1 if sides[0] == "right" else -1
    plain = way * (width(line.label, SMALL) + 2 * _SIDE if line.label else 0)
    if a.seat != "middle":
        near, far, x, out = x1 + plain, x2, x1, way
    else:
        near, far, x, out = x1, x2 - plain, x2, -way
    bend = (near + far) / 2
    path = f"M{x1:g} {y1:g} H{near:g} C{bend:g} {y1:g} {bend:g} {y2:g} {far:g} {y2:g} H{x2:g}"
    y = y1 if a.seat != "middle" else y2
    label = _text(line.label, x + 14 * out, y - 5, _colour(line), anchor="start" if out > 0 else "end")
    return _stroke(line, path, [(x2, y2, way), (x1, y1, -way)]) + (label if line.label else "")


def _beside(line: Line, a: Placed, b: Placed, places: Iterable[Placed]) -> str:
    """Within a column: a bow on its outer side; in the middle, straight to what stands below or above."""
    above, below = sorted((a, b), key=lambda p: p.y)
    if a.seat == "middle" and not any(p.seat == a.seat and above.y < p.y < below.y for p in places):
        x, y1, y2 = a.x + a.width / 2, above.y + above.height, below.y
        label = _text(line.label, x + 8, (y1 + y2) / 2 + 5, _colour(line))
        return _stroke(line, f"M{x:g} {y1:g} V{y2:g}", []) + (label if line.label else "")
    x, out = (a.x, -1) if a.seat == "left" else (a.x + a.width, 1)
    far = x + out * (_LANE - 12) * 1.2
    y1, y2 = (a.middle - 8, a.middle + 8) if a is b else (a.middle, b.middle)
    path = f"M{x:g} {y1:g} C{far:g} {y1:g} {far:g} {y2:g} {x:g} {y2:g}"
    label = _text(line.label, x + out * 30, (y1 + y2) / 2, _colour(line), anchor="middle")
    return _stroke(line, path, [(x, y2, -out), (x, y1, -out)]) + (label if line.label else "")


def _beneath(line: Line, a: Placed, b: Placed, level: float) -> str:
    """From one outer column to the other: under everything."""
    x1, x2 = (p.x - 30 if p.seat == "left" else p.x + p.width + 30 for p in (a, b))
    e1, e2 = (p.x if p.seat == "left" else p.x + p.width for p in (a, b))
    path = f"M{e1:g} {a.middle:g} H{x1:g} V{level:g} H{x2:g} V{b.middle:g} H{e2:g}"
    label = _text(line.label, (x1 + x2) / 2, level - 6, _colour(line), anchor="middle")
    heads = [(e2, b.middle, 1 if e2 > x2 else -1), (e1, a.middle, 1 if e1 > x1 else -1)]
    return _stroke(line, path, heads) + (label if line.label else "")


def _colour(line: Line) -> str:
    return WARNING if line.dead else AMBER if line.active or line.awaited else STROKES[line.stroke]


def _stroke(line: Line, path: str, heads: list[tuple[float, float, int]]) -> str:
    """The line itself, with the heads that it has: the first at its end, the second at its start."""
    dashed = line.stroke == "waits" or (line.awaited and not line.dead)
    dash = (
        ' stroke-dasharray="8 5"' if dashed else ' stroke-dasharray="2 4"' if line.stroke == "memory" else ""
    )
    wide = 3 if line.dead or line.active or line.awaited else 1.6
    shown = {"none": 0, "forward": 1, "both": 2}[line.ends]
    stroke = f'<path d="{path}" fill="none" stroke="{_colour(line)}" stroke-width="{wide}"{dash}/>'
    return stroke + "".join(_head(x, y, way, _colour(line)) for x, y, way in heads[:shown])


def _head(x: float, y: float, way: int, colour: str) -> str:
    back = x - 11 * way
    return f'<path d="M{x:g} {y:g} L{back:g} {y - 6:g} L{back:g} {y + 6:g} Z" fill="{colour}"/>'


# --- what stands below ------------------------------------------------------------------------------


def _notes(drawn: Sketch, y: float) -> tuple[list[str], float]:
    said = [(f"DEADLOCK: {found}", WARNING) for found in drawn.findings]
    said += [(f"not visible here: {limit}", GREY) for limit in drawn.limits]
    parts = []
    for words, colour in said:
        for row in wrap(words, _SENTENCES, SMALL):
            y += _ROW
            parts.append(_text(row, _GAP, y, colour))
    return parts, y + (_GAP if said else 0)
