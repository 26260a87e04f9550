"""A scene as a picture: graphviz source, and SVG.

Boxes bring their own background and lines are of middle tones, so that one picture reads well on a
white page and on a dark one; blue, grey, amber and vermilion can be told apart by the colour-blind,
and what matters is also written. All text is escaped; identifiers are ours.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import math
import re
import shutil
import subprocess

from labkit.draw import plainsvg
from labkit.draw.palette import (
    AMBER,
    BAR_EMPTY,
    BAR_FULL,
    FILLS,
    FONT,
    GREY,
    INK,
    MONO,
    SIZE,
    STROKES,
    WARNING,
)
from labkit.draw.seats import Seat, seats
from labkit.draw.sketch import Box, Line, Sketch, sketch
from labkit.draw.widths import width, wrap
from labkit.scene import Scene
from labkit.words import printable

_DOT_SECONDS = 10
_COLUMN_POINTS = 615
"""820 pixels: the width of a page's text, and of a cell on a screen of 1,024, or of 1,280 with the list of
files beside it. Some pages cut off what is wider, and do not shrink it."""
_SENTENCE_POINTS = 600
_SIDE = 8
"""Free at either side of a box's words."""
_ORDER: tuple[Seat, ...] = ("left", "middle", "right")


def dot(scene: Scene, *, times: bool = False) -> str:
    """The scene in the language of graphviz."""
    return _source(sketch(scene, times))


def _source(drawn: Sketch) -> str:
    """Three columns: a line that runs to the left is written as one to the right with its head behind."""
    columns = seats(drawn)
    wide = {
        seat: max(plainsvg.inside(box) for box in drawn.boxes if columns[box.id] == seat)
        for seat in columns.values()
    }
    graph = (
        f'rankdir=LR, bgcolor="transparent", fontname="{FONT}", fontsize={SIZE}, pad=0.2, '
        f"nodesep=0.35, ranksep=0.4, labelloc=b, labeljust=l, label={_caption(drawn)}"
    )
    edge = (
        f'fontname="{FONT}", fontsize={SIZE - 2}, color="{GREY}", fontcolor="{GREY}", '
        "penwidth=1.6, arrowsize=0.9"
    )
    parts = [
        "digraph scene {",
        f"  graph [{graph}];",
        f'  node [shape=plain, fontname="{FONT}", fontsize={SIZE}, fontcolor="{INK}"];',
        f"  edge [{edge}];",
        *(f"  {box.id} [label={_box(box, wide[columns[box.id]])}];" for box in drawn.boxes),
        *(f"  {column}" for column in _columns(columns)),
        *(f"  {_line(line, columns)}" for line in drawn.lines),
        "}",
    ]
    return "\n".join(parts) + "\n"


def _columns(seats: dict[str, Seat]) -> list[str]:
    """Boxes of one column share a rank, and the columns stand in their order, joined or not."""
    found = [[id for id, seat in seats.items() if seat == column] for column in _ORDER]
    full = [ids for ids in found if ids]
    ranks = [f"{{rank=same; {'; '.join(ids)};}}" for ids in full]
    return ranks + [f"{a[0]} -> {b[0]} [style=invis];" for a, b in itertools.pairwise(full)]


def svg(scene: Scene, *, times: bool = False) -> str:
    """The scene as an SVG: drawn by graphviz's `dot` where that is installed, and otherwise by us."""
    drawn = sketch(scene, times)
    return _named(_painted(drawn), drawn)


def inset(scene: Scene, x: float, y: float, most: float) -> tuple[str, float, float]:
    """The scene as a part of a larger SVG, at most so wide, without its sentences; its width and height."""
    made = _painted(dataclasses.replace(sketch(scene), findings=(), limits=()))
    size = re.search(r'<svg [^>]*?width="([0-9.]+)(?:pt)?" height="([0-9.]+)(?:pt)?"', made)
    assert size is not None
    wide, high = float(size[1]), float(size[2])
    scale = min(1.0, most / wide)
    place = f'<svg x="{x:g}" y="{y:g}" width="{wide * scale:g}" height="{high * scale:g}"'
    view = re.search(r'viewBox="[^"]*"', made)
    inside = made[made.index(">", made.index("<svg")) + 1 :]
    return f"{place} {view[0] if view else ''}>{inside}", wide * scale, high * scale


def _painted(drawn: Sketch) -> str:
    return _by_graphviz(_source(drawn)) or plainsvg.draw(drawn)


def _by_graphviz(source: str) -> str | None:
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-Tsvg"], input=source.encode(), capture_output=True, timeout=_DOT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"<svg.*</svg>", done.stdout.decode("utf-8", "replace"), re.DOTALL)
    return None if done.returncode or not found else _without_ids(found[0])


def _without_ids(drawn: str) -> str:
    """Several pictures stand in one page: names of parts would meet."""
    drawn = re.sub(r"<!--.*?-->\n?", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<title>.*?</title>\n?", "", drawn, flags=re.DOTALL)
    return re.sub(r'(<(?:g|a|svg)\b[^>]*?) id="[^"]*"', r"\1", drawn)


def _named(drawn: str, what: Sketch) -> str:
    """For those who hear a picture."""
    said = " ".join(["Processes and what they share.", *what.findings])
    attributes = f'role="img" aria-label="{html.escape(said)}" style="max-width:100%;height:auto"'
    return fitted(drawn).replace("<svg ", f"<svg {attributes} ", 1)


def fitted(drawn: str) -> str:
    """graphviz's SVG, shown no wider than a page's text."""
    size = re.search(r'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', drawn)
    if size is None or float(size[1]) <= _COLUMN_POINTS:
        return drawn
    height = float(size[2]) * _COLUMN_POINTS / float(size[1])
    return drawn.replace(size[0], f'<svg width="{_COLUMN_POINTS}pt" height="{height:.0f}pt"', 1)


# --- graphviz ---------------------------------------------------------------------------------------


def _box(box: Box, wide: int) -> str:
    fill = WARNING if box.dead else FILLS[box.style]
    rows = [f"<B>{_text(box.title)}</B>", *(_small(line) for line in box.lines)]
    if box.content:
        rows.append(f'<FONT FACE="{MONO}" POINT-SIZE="{SIZE - 2}">{_text(box.content)}</FONT>')
    # Browsers' letters may be wider than those that graphviz measures: it is told how wide they may be.
    cells = [f'<TR><TD ALIGN="LEFT" WIDTH="{wide + 2 * _SIDE}">&#160;{row}</TD></TR>' for row in rows]
    if box.level is not None:
        cells.insert(1, f'<TR><TD ALIGN="LEFT" CELLPADDING="5">{_bar(*box.level)}</TD></TR>')
    edge = '<TR><TD HEIGHT="5"></TD></TR>'
    style = "" if box.style == "object" else ' STYLE="ROUNDED"'
    return (
        f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1" BGCOLOR="{fill}"{style}>'
        + "".join([edge, *cells, edge])
        + "</TABLE>>"
    )


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="{SIZE - 2}">{_text(text)}</FONT>'


def _text(text: str) -> str:
    return html.escape(printable(text)) or " "


def _bar(part: int, whole: int) -> str:
    filled = min(max(round(plainsvg.BAR * part / whole), 2 if part else 0), plainsvg.BAR)
    cells = [
        f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="12" BGCOLOR="{colour}"></TD>'
        for width, colour in ((filled, BAR_FULL), (plainsvg.BAR - filled, BAR_EMPTY))
        if width
    ]
    bare = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
    size = f'ALIGN="LEFT" FIXEDSIZE="TRUE" WIDTH="{plainsvg.BAR + 2}" HEIGHT="12"'
    margin = '<TD FIXEDSIZE="TRUE" WIDTH="2" HEIGHT="12"></TD>'
    return f"<TABLE {size} {bare}><TR>{margin}{''.join(cells)}</TR></TABLE>"


def _line(line: Line, columns: dict[str, Seat]) -> str:
    colour = WARNING if line.dead else AMBER if line.active or line.awaited else STROKES[line.stroke]
    start, end, heads = line.start, line.end, str(line.ends)
    if _ORDER.index(columns[start]) > _ORDER.index(columns[end]):
        start, end, heads = end, start, heads.replace("forward", "back")
    facts = [f'color="{colour}"', f'fontcolor="{colour}"', f"dir={heads}"]
    if line.label:
        facts.append(f"label={_beside(line.label, columns[start] == columns[end])}")
    if line.stroke == "waits" or (line.awaited and not line.dead):
        facts.append("style=dashed")
    elif line.stroke == "memory":
        facts.append("style=dotted")
    if line.dead or line.active or line.awaited:
        facts.append("penwidth=3")
    return f"{start} -> {end} [{', '.join(facts)}];"


def _beside(label: str, down: bool) -> str:
    """The words of a line; of one that runs down, to its right: `dot` lays their middle on it."""
    wide = math.ceil(width(label, SIZE - 2)) + 10
    free = f'<TD WIDTH="{wide + 3 * _SIDE}"></TD>' if down else ""
    return (
        f'<<TABLE BORDER="0" CELLPADDING="0"><TR>{free}<TD WIDTH="{wide}">{_text(label)}</TD></TR></TABLE>>'
    )


def _caption(drawn: Sketch) -> str:
    rows = [row for found in drawn.findings for row in _note(f"DEADLOCK: {found}", WARNING)]
    rows += [row for limit in drawn.limits for row in _note(f"not visible here: {limit}", GREY)]
    return f'<<TABLE BORDER="0" CELLPADDING="1" CELLSPACING="0">{"".join(rows)}</TABLE>>' if rows else '""'


def _note(said: str, colour: str) -> list[str]:
    return [
        f'<TR><TD ALIGN="LEFT" WIDTH="{math.ceil(width(row, SIZE - 2))}">'
        f'<FONT COLOR="{colour}" POINT-SIZE="{SIZE - 2}">{_text(row)}</FONT></TD></TR>'
        for row in wrap(printable(said), _SENTENCE_POINTS, SIZE - 2)
    ]
