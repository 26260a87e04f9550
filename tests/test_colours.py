"""Colours that must be told apart can be, with every kind of colour blindness; and they are never alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import colours
import pytest

from labkit.draw import palette

CSS = (Path(__file__).parents[1] / "labkit/ui/style.css").read_text()
APART = 20.0
"""Ten times what can just be noticed: two such colours are told apart from some way off."""
READABLE = 4.5
THEMES = {"light": r"\n\.labkit \{(.*?)\}", "dark": r'\n\[data-jp-theme-light="false"\] \.labkit \{(.*?)\}'}
STATES = ("run", "wait-line", "warn", "edge")
"""The stripe of a process: running, waiting, in a deadlock, none of these."""
LINES = ("write", "read", "wait-line", "warn", "edge")
PAGES = ("token", "lit", "card")
CELLS = ("lit", "cell")
STILLS = {
    "lines": (palette.AMBER, palette.WARNING, palette.GREY, palette.STROKES["memory"]),
    "boxes in a deadlock or not": (palette.WARNING, *palette.FILLS.values()),
    "levels": (palette.BAR_FULL, palette.BAR_EMPTY),
}


def theme(name: str) -> dict[str, str]:
    """The colours of a theme: ours, where a page has none of its own."""
    found = re.search(THEMES[name], CSS, re.DOTALL)
    assert found
    return dict(re.findall(r"--lk-([a-z0-9-]+): (?:var\([^,]+, )?(#[0-9a-f]{6})", found[1]))


def too_close(chosen: dict[str, str], by: str) -> dict[tuple[str, str], int]:
    pairs = itertools.combinations(chosen, 2)
    far = {(a, b): colours.distance(chosen[a], chosen[b], by) for a, b in pairs}
    return {pair: round(d) for pair, d in far.items() if d < APART}


@pytest.mark.parametrize("by", colours.SEEN_BY)
@pytest.mark.parametrize("name", THEMES)
def test_states_lines_pages_and_cells_of_a_view_are_told_apart(name: str, by: str) -> None:
    known = theme(name)
    for group in (STATES, LINES, PAGES, CELLS):
        assert too_close({word: known[word] for word in group}, by) == {}


@pytest.mark.parametrize("by", colours.SEEN_BY)
def test_lines_and_boxes_of_a_still_are_told_apart(by: str) -> None:
    assert too_close({c: c for c in STILLS["lines"]}, by) == {}
    assert too_close({c: c for c in STILLS["levels"]}, by) == {}
    warning, *others = STILLS["boxes in a deadlock or not"]
    assert [o for o in others if colours.distance(warning, o, by) < APART] == []


@pytest.mark.parametrize("name", THEMES)
def test_words_in_a_colour_can_be_read_and_lines_seen(name: str) -> None:
    known = theme(name)
    papers = ("card", "shade", "cell")
    words = [("warn", "warn-paper"), *itertools.product(("ink", "soft", "write", "warn"), papers)]
    words += [(word, "card") for word in ("run", "wait", "read", *(f"hue-{n}" for n in range(6)))]
    dim = {(a, b): colours.contrast(known[a], known[b]) for a, b in words}
    assert {pair: round(c, 1) for pair, c in dim.items() if c < READABLE} == {}
    faint = {a: colours.contrast(known[a], known["card"]) for a in ("write", "read", "warn", "edge", "token")}
    assert {a: round(c, 1) for a, c in faint.items() if c < 3} == {}


def test_what_is_said_by_a_colour_is_said_by_a_shape_too() -> None:
    shapes = {
        r"\.lk-dead > \.lk-thick": "stroke-dasharray",  # a deadlock's arrow beside one that waits
        r"\.lk-page-absent": "stroke-dasharray",
        r"\.lk-page-private": "stroke-width",
        r"\.lk-changed \.lk-cellbox": "stroke-width",
        r"\.lk-process\.lk-ended": "stroke-dasharray",
        r"\.lk-bar-of\.lk-bad": "repeating-linear-gradient",
    }
    for where, shape in shapes.items():
        rules = re.findall(rf"\.labkit {where} \{{([^}}]*)\}}", CSS)
        assert any(shape in rule for rule in rules), where


def test_the_sums_are_those_of_the_books() -> None:
    """Black and white are 21 and 100 apart; red and green become alike for who lacks one of the two."""
    assert round(colours.contrast("#000", "#fff")) == 21
    assert round(colours.distance("#000000", "#ffffff")) == 100
    assert colours.distance("#a05a00", "#5f7a00") > 2 * colours.distance("#a05a00", "#5f7a00", "protanopia")
    for by in colours.SEEN_BY:
        assert colours.seen("#ffffff", by) == pytest.approx((1, 1, 1), abs=1e-5), "a grey stays a grey"
