"""The colours and sizes of still pictures.

Each stands at 3 to 1 or better against white and against a dark page (#111111), and white ink at 4.5
to 1 or better against each fill: `tests/test_pictures.py` does the sums. `tests/test_colours.py` does
those that say whether the colour-blind can tell them apart.
"""

from __future__ import annotations

FONT = "Helvetica,Arial,sans-serif"
MONO = "Courier,monospace"
SIZE = 16

INK = "#ffffff"
WARNING = "#b83a30"
"""Vermilion: a deadlock."""
AMBER = "#b88f24"
"""A line somebody sleeps on."""
GREY = "#808790"
FILLS = {"process": "#2f6aa8", "object": "#5b6570", "ended": "#767676"}
STROKES = {"data": "#808790", "memory": "#5a7fb5", "link": "#808790", "waits": "#5a7fb5"}
BAR_FULL = "#f2c14e"
BAR_EMPTY = "#39424c"
