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

CARD = "#1f262e"
"""What films and outcomes are written on. It brings its own ink, for a light page and a dark one."""
CARD_INK = "#f2f5f8"
CARD_SOFT = "#b3bdc8"
CARD_LINE = "#3a4550"
CARD_AMBER = "#f2c14e"
CARD_WARNING = "#ff7b72"
LANES = ("#7cc0ff", "#d9b8ff", "#8fe3c0", "#f0f3a6", "#e9d5c3", "#b9c7d6")
"""One after the other for the processes of a film; each also has a column and its name."""
