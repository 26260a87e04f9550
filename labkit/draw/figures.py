"""Figures for the text of a notebook: graphviz, in the same style as the pictures of scenes.

A figure is a `graphviz.Digraph`, so all of graphviz is there; the helpers only save a writer from
deciding on fonts and colours again. Every figure comes with a sentence that says the same in words.
"""

from __future__ import annotations

import html
import re
from typing import Any

import graphviz

from labkit.draw.palette import FILLS, FONT, GREY, INK, SIZE
from labkit.draw.picture import fitted
from labkit.draw.widths import widest

_INCH = 72
_SIDE = 12
"""Free at either side of a box's words, however wide the letters of whoever looks are."""
NO_DOT = "(To draw this figure anew, install graphviz: sudo apt install graphviz.)"


class Figure(graphviz.Digraph):
    """A figure with boxes for processes, rounded ones for what the kernel keeps, and arrows."""

    def __init__(self, about: str, *, direction: str = "LR") -> None:
        text = {"fontname": FONT, "fontsize": str(SIZE)}
        super().__init__(
            graph_attr={"rankdir": direction, "bgcolor": "transparent", "pad": "0.2", **text},
            node_attr={"shape": "box", "margin": "0.2,0.1", **text},
            edge_attr={
                "color": GREY,
                "fontcolor": GREY,
                "penwidth": "1.6",
                **text,
                "fontsize": str(SIZE - 2),
            },
        )
        self.about = about
        self._ids: dict[str, str] = {}

    def process(self, *names: str) -> Figure:
        """Boxes for processes."""
        return self._boxes(names, FILLS["process"], "filled,rounded")

    def kernel(self, *names: str) -> Figure:
        """Boxes for what the kernel keeps."""
        return self._boxes(names, FILLS["object"], "filled")

    def arrow(self, start: str, end: str, label: str = "", **attributes: str) -> Figure:
        """An arrow between two boxes that are there, with words on it."""
        self.edge(self._ids[start], self._ids[end], label=label and f" {label} ", **attributes)
        return self

    def _boxes(self, names: tuple[str, ...], fill: str, style: str) -> Figure:
        for name in names:
            id = self._ids.setdefault(name, f"box{len(self._ids) + 1}")
            wide = (widest(name.split("\n"), SIZE) + 2 * _SIDE) / _INCH
            self.node(id, name, style=style, fillcolor=fill, color=fill, fontcolor=INK, width=f"{wide:.2f}")
        return self

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        try:
            drawn = self.pipe(format="svg", encoding="utf-8")
        except graphviz.ExecutableNotFound:
            return {"text/plain": f"{self.about}\n{NO_DOT}"}
        return {"image/svg+xml": _described(drawn, self.about), "text/plain": self.about}

    def __repr__(self) -> str:
        return self.about


def figure(about: str, *, direction: str = "LR") -> Figure:
    """An empty figure; `about` says in words what it will show, for those who cannot see it."""
    return Figure(about, direction=direction)


def _described(drawn: str, about: str) -> str:
    """The SVG alone, with its description, and without graphviz's comments and titles."""
    drawn = fitted(drawn[drawn.index("<svg") :])
    drawn = re.sub(r"<!--.*?-->\s*|<title>.*?</title>\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace(
        "<svg", f'<svg style="max-width:100%;height:auto" role="img" aria-label="{html.escape(about)}"', 1
    )
