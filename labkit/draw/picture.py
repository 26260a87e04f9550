"""A scene as a picture: graphviz source, and SVG.

Boxes bring their own background and lines are of middle tones, so that one picture reads well on a
white page and on a dark one; blue, grey, amber and vermilion can be told apart by the colour-blind,
and what matters is also written. All text is escaped; identifiers are ours.
"""

from __future__ import annotations

import dataclasses
import html
import re
import shutil
import subprocess
import textwrap

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
from labkit.draw.sketch import Box, Line, Sketch, sketch
from labkit.scene import Scene
from labkit.words import printable

_DOT_SECONDS = 10
_BAR_POINTS = 150
_PAGE_POINTS = 1000
"""About as wide as a notebook's page can show, shrunk, and still be read."""
_COLUMN_POINTS = 660
"""The width of a page's text. Some pages cut off what is wider, and do not shrink it."""


def dot(scene: Scene, *, times: bool = False) -> str:
    """The scene in the language of graphviz."""
    return _source(sketch(scene, times), "LR")


def _source(drawn: Sketch, direction: str) -> str:
    graph = (
        f'rankdir={direction}, bgcolor="transparent", fontname="{FONT}", fontsize={SIZE}, pad=0.2, '
        f"nodesep=0.4, ranksep=0.8, labelloc=b, labeljust=l, label={_caption(drawn)}"
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
        *(f"  {box.id} [label={_box(box)}];" for box in drawn.boxes),
        *(f"  {_line(line)}" for line in drawn.lines),
        "}",
    ]
    return "\n".join(parts) + "\n"


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
    made = _by_graphviz(_source(drawn, "LR"))
    if made is not None and _width(made) > _PAGE_POINTS:
        # Shrunk to a page's width it could not be read from the last row: draw it downwards.
        made = min(made, _by_graphviz(_source(drawn, "TB")) or made, key=_width)
    return made or plainsvg.draw(drawn)


def _width(made: str) -> float:
    found = re.search(r'<svg width="([0-9.]+)pt"', made)
    return float(found[1]) if found else 0.0


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


def _box(box: Box) -> str:
    fill = WARNING if box.dead else FILLS[box.style]
    rows = [f"<B>{_text(box.title)}</B>", *(_small(line) for line in box.lines)]
    if box.content:
        rows.append(f'<FONT FACE="{MONO}" POINT-SIZE="{SIZE - 2}">{_text(box.content)}</FONT>')
    # Browsers' letters may be wider than those that graphviz measured: leave room at both sides.
    cells = [f'<TR><TD ALIGN="LEFT">&#160;{row}&#160;&#160;&#160;</TD></TR>' for row in rows]
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
    filled = min(max(round(_BAR_POINTS * part / whole), 2 if part else 0), _BAR_POINTS)
    cells = [
        f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="12" BGCOLOR="{colour}"></TD>'
        for width, colour in ((filled, BAR_FULL), (_BAR_POINTS - filled, BAR_EMPTY))
        if width
    ]
    bare = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
    size = f'ALIGN="LEFT" FIXEDSIZE="TRUE" WIDTH="{_BAR_POINTS + 2}" HEIGHT="12"'
    margin = '<TD FIXEDSIZE="TRUE" WIDTH="2" HEIGHT="12"></TD>'
    return f"<TABLE {size} {bare}><TR>{margin}{''.join(cells)}</TR></TABLE>"


def _line(line: Line) -> str:
    colour = WARNING if line.dead else AMBER if line.active else STROKES[line.stroke]
    facts = [f'color="{colour}"', f'fontcolor="{colour}"', f"dir={line.ends}"]
    if line.label:
        facts.append(f"label=<&#160;{_text(line.label)}&#160;>")
    if line.stroke == "waits":
        facts += ["style=dashed", "constraint=false"]
    if line.stroke == "memory":
        facts.append("style=dotted")
    if line.dead or line.active:
        facts.append("penwidth=3")
    return f"{line.start} -> {line.end} [{', '.join(facts)}];"


def _caption(drawn: Sketch) -> str:
    rows = [_note(f"DEADLOCK: {found}", WARNING) for found in drawn.findings]
    rows += [_note(f"not visible here: {limit}", GREY) for limit in drawn.limits]
    return f"<{''.join(rows)}>" if rows else '""'


def _note(text: str, colour: str) -> str:
    lines = "".join(f'{_text(line)}<BR ALIGN="LEFT"/>' for line in textwrap.wrap(text, 72))
    return f'<FONT COLOR="{colour}">{lines}</FONT>'
