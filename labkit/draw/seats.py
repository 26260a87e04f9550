"""Where the boxes of a sketch stand: processes left and right, what the kernel keeps between them. Pure.

As in a live view (`ui/layout.js`): whoever talks through an object stands on opposite sides of it where
that can be, writers left first, so that data mostly flows to the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from labkit.draw.sketch import Line, Sketch

Seat = Literal["left", "middle", "right"]


@dataclass(frozen=True, slots=True)
class _Link:
    process: str
    object: str
    whole: str
    """The object, or the connection of which it is an end."""
    way: int
    """1 for bytes that go into the object, -1 for such that come out of it, 0 for both or neither."""


def seats(drawn: Sketch) -> dict[str, Seat]:
    """The column of each box."""
    found: dict[str, Seat] = {box.id: "middle" for box in drawn.boxes if box.style == "object"}
    links = list(_links(drawn))
    sides: dict[str, Seat] = {}
    for process in _walk([b.id for b in drawn.boxes if b.style != "object"], links):
        sides[process] = _vote(process, links, sides)
    return found | sides


def _links(drawn: Sketch) -> Iterator[_Link]:
    objects = {box.id for box in drawn.boxes if box.style == "object"}
    whole = {id: id for id in objects}
    for line in drawn.lines:
        if {line.start, line.end} <= objects:
            whole[line.end] = whole[line.start]
    for line in drawn.lines:
        ends = {line.start, line.end}
        for object in ends & objects:
            for process in ends - objects:
                yield _Link(process, object, whole[object], _way(line, process))


def _way(line: Line, process: str) -> int:
    if line.stroke != "data" or line.ends != "forward":
        return 0
    return 1 if line.start == process else -1


def _walk(processes: list[str], links: list[_Link]) -> list[str]:
    """Those who share something follow each other, data's sources first."""
    giving = {p: sum(link.way for link in links if link.process == p) for p in processes}
    found: list[str] = []
    for start in sorted(processes, key=lambda p: -_sign(giving[p])):
        line = [start]
        while line:
            process = line.pop(0)
            if process in found:
                continue
            found.append(process)
            mine = {link.whole for link in links if link.process == process}
            line += [link.process for link in links if link.whole in mine]
    return found


def _vote(process: str, links: list[_Link], sides: dict[str, Seat]) -> Seat:
    """Across from those it shares something with; then wherever there is more room."""
    right = 0
    for mine in (link for link in links if link.process == process):
        for other in links:
            if other.process == process or other.whole != mine.whole or other.process not in sides:
                continue
            weight = 3 if mine.way * other.way < 0 or mine.object != other.object else 1
            right += weight if sides[other.process] == "left" else -weight
    if right:
        return "right" if right > 0 else "left"
    lefts = list(sides.values()).count("left")
    return "right" if lefts > len(sides) - lefts else "left"


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
