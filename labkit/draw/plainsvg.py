"""An SVG of a sketch without graphviz: processes on the left, objects on the right. Pure."""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass

from labkit.draw.palette import AMBER, BAR_EMPTY, BAR_FULL, FILLS, GREY, INK, SIZE, STROKES, WARNING
from labkit.draw.sketch import Box, Line, Sketch
from labkit.words import printable

_WIDTH, _GAP, _ROOM, _LEFT = 340, 30, 300, 190
_OBJECTS = _LEFT + _WIDTH + _ROOM
_ROW = SIZE + 8
_STEP = SIZE + 2
_RIGHT = 80
_FONT = "Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Placed:
    box: Box
    x: int
    y: int
    height: int

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


def draw(drawn: Sketch) -> str:
    """The sketch as an SVG document."""
    places = _places(drawn)
    bottom = max((p.y + p.height for p in places.values()), default=0) + _GAP
    notes, height = _notes(drawn, bottom)
    width = _LEFT + 2 * _WIDTH + _ROOM + _RIGHT
    inside = [*_lines(drawn, places), *(_box(p) for p in places.values()), *notes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}" font-size="{SIZE}">'
        + "".join(inside)
        + "</svg>"
    )


def _places(drawn: Sketch) -> dict[str, Placed]:
    """Where each box stands: high enough for its words, and for the lines that end at it."""
    places: dict[str, Placed] = {}
    for x, is_object in ((_LEFT, False), (_OBJECTS, True)):
        y = _GAP
        for box in drawn.boxes:
            if (box.style == "object") is is_object:
                rows = 1 + len(box.lines) + bool(box.level) + bool(box.content)
                ends = sum(box.id in (line.start, line.end) for line in drawn.lines)
                places[box.id] = Placed(box, x, y, max(rows * _ROW + 12, ends * _STEP + 10))
                y += places[box.id].height + _GAP
    return places


def _box(place: Placed) -> str:
    box = place.box
    fill = WARNING if box.dead else FILLS[box.style]
    corner = 0 if box.style == "object" else 10
    frame = f'x="{place.x}" y="{place.y}" width="{_WIDTH}" height="{place.height}" rx="{corner}"'
    parts = [f'<rect {frame} fill="{fill}"/>']
    y = place.y + _ROW
    parts.append(_text(box.title, place.x + 10, y, INK, "bold"))
    if box.level is not None:
        parts.append(_bar(place.x + 10, y + 10, *box.level))
        y += _ROW
    for line in box.lines:
        y += _ROW
        parts.append(_text(line, place.x + 10, y, INK))
    if box.content:
        parts.append(_text(box.content, place.x + 10, y + _ROW, INK, family="monospace"))
    return "".join(parts)


def _text(
    text: str, x: int, y: int, colour: str, weight: str = "normal", family: str = "", anchor: str = "start"
) -> str:
    face = f' font-family="{family}"' if family else ""
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" font-weight="{weight}" text-anchor="{anchor}"{face} '
        f'xml:space="preserve">{html.escape(printable(text))}</text>'
    )


def _bar(x: int, y: int, part: int, whole: int) -> str:
    full = _WIDTH - 20
    filled = min(max(round(full * part / whole), 2 if part else 0), full)
    return (
        f'<rect x="{x}" y="{y}" width="{full}" height="12" fill="{BAR_EMPTY}"/>'
        f'<rect x="{x}" y="{y}" width="{filled}" height="12" fill="{BAR_FULL}"/>'
    )


# --- lines ------------------------------------------------------------------------------------------


def _lines(drawn: Sketch, places: dict[str, Placed]) -> list[str]:
    """Lines that end at one box are spread along its side."""
    met: dict[tuple[str, str], int] = {}
    parts = []
    for line in drawn.lines:
        start, end = places[line.start], places[line.end]
        side = "l" if start.x == end.x == _LEFT else "r" if start.x == end.x else "m"
        ys = []
        for place in (start, end):
            seen = met[place.box.id, side] = met.get((place.box.id, side), 0) + 1
            ys.append(place.y + min(_STEP * seen, place.height - 4))
        parts.append(_line(line, start, end, ys[0], ys[1]))
    return parts


def _line(line: Line, start: Placed, end: Placed, y1: int, y2: int) -> str:
    colour = WARNING if line.dead else AMBER if line.active else STROKES[line.stroke]
    dash = {"waits": ' stroke-dasharray="8 5"', "memory": ' stroke-dasharray="2 4"'}.get(line.stroke, "")
    wide = 3 if line.dead or line.active else 1.6
    path, x1, x2 = _path(start, end, y1, y2)
    parts = [f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{wide}"{dash}/>']
    if line.ends != "none":
        parts.append(_head(x2, y2, 1 if x2 in (_LEFT, _OBJECTS) else -1, colour))
    if line.ends == "both":
        parts.append(_head(x1, y1, 1 if x1 in (_LEFT, _OBJECTS) else -1, colour))
    if line.label:
        x, y, anchor = _label_at(start, end, y1, y2)
        parts.append(_text(line.label, x, y, colour, anchor=anchor))
    return "".join(parts)


def _path(start: Placed, end: Placed, y1: int, y2: int) -> tuple[str, int, int]:
    """The line's path, and where it begins and ends."""
    if start.x == end.x:
        x = start.x if start.x == _LEFT else start.x + _WIDTH
        bend = x - 60 if start.x == _LEFT else x + 25
        return f"M{x} {y1} C{bend} {y1} {bend} {y2} {x} {y2}", x, x
    x1, x2 = (start.x + _WIDTH, end.x) if start.x < end.x else (start.x, end.x + _WIDTH)
    return f"M{x1} {y1} L{x2} {y2}", x1, x2


def _label_at(start: Placed, end: Placed, y1: int, y2: int) -> tuple[int, int, str]:
    """Beside the process, where lines do not cross yet."""
    if start.x == end.x == _LEFT:
        return _LEFT - 50, (y1 + y2) // 2 + 5, "end"
    if start.x == end.x:
        return _OBJECTS + _WIDTH + 22, (y1 + y2) // 2 + 5, "start"
    return _LEFT + _WIDTH + 16, (y1 if start.x < end.x else y2) - 4, "start"


def _head(x: int, y: int, way: int, colour: str) -> str:
    back = x - 11 * way
    return f'<path d="M{x} {y} L{back} {y - 6} L{back} {y + 6} Z" fill="{colour}"/>'


# --- what stands below ------------------------------------------------------------------------------


def _notes(drawn: Sketch, y: int) -> tuple[list[str], int]:
    said = [(f"DEADLOCK: {found}", WARNING) for found in drawn.findings]
    said += [(f"not visible here: {limit}", GREY) for limit in drawn.limits]
    parts = []
    for words, colour in said:
        for row in textwrap.wrap(words, 100):
            y += _ROW
            parts.append(_text(row, _GAP, y, colour))
    return parts, y + _GAP
