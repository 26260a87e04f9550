"""Scenes as pictures: they say what the text says, can be seen and heard, and are safe with any name."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import KNOWN, C, P, any_scenes, blank, holding
from scenes import pipe, process, reading, scene

from labkit.draw import dot, figure, palette, plainsvg, svg, text, widths
from labkit.draw.seats import seats
from labkit.draw.sketch import sketch
from labkit.scene import (
    AnyObject,
    Blocked,
    Deadlock,
    File,
    InetSocket,
    Limit,
    Mapping,
    Other,
    Pipe,
    Scene,
    UnixSocket,
    Wait,
)
from labkit.waits import judge

NASTY = "</text><script>alert(1)</script>\"'&\\ \n\x1b[31m\x00\u202e\ud800 ]]> <B>"


def unwrapped(drawn: str) -> str:
    """A picture's words, with its lines joined again."""
    return " ".join(re.sub(r"<[^>]*>|&#160;|\s", " ", drawn).split())


# --- pictures ---------------------------------------------------------------------------------------

CROSSED = judge(
    scene(
        process(P, "a", reading(5, "pipe-2"), {4: ("pipe-1", "w"), 5: ("pipe-2", "r")}),
        process(C, "b", reading(3, "pipe-1"), {3: ("pipe-1", "r"), 6: ("pipe-2", "w")}),
    )
)


def nasty() -> Scene:
    """Every text that somebody else may choose is as bad as can be."""
    bad = Pipe(
        id=NASTY,
        kind="pipe",
        name=NASTY,
        notes=(NASTY,),
        capacity=10,
        queued=5,
        head=NASTY.encode("utf-8", "replace"),
    )
    one = dataclasses.replace(
        process(P, NASTY, Blocked(NASTY, 3, NASTY, timed=False), {3: (NASTY, "r")}), command=NASTY
    )
    maps = (Mapping(NASTY, 4096, NASTY, True),)
    return Scene(
        processes=(dataclasses.replace(one, mappings=maps),),
        objects=(
            bad,
            File(id="f", kind="file", name=NASTY, path=NASTY),
            InetSocket(id="i", kind="inet-socket", name="", local=NASTY, state=NASTY),
        ),
        deadlocks=(Deadlock((P,), NASTY),),
        limits=(Limit(NASTY, NASTY),),
    )


def by_us(any_scene: Scene) -> str:
    return plainsvg.draw(sketch(any_scene))


PAINTERS = [pytest.param(by_us, id="plain")]
if shutil.which("dot"):
    PAINTERS.append(pytest.param(svg, id="graphviz"))


@pytest.mark.parametrize("paint", PAINTERS)
@pytest.mark.parametrize("any_scene", [nasty(), CROSSED, Scene(), *(holding(o) for o, _ in KNOWN)])
def test_a_picture_is_well_formed_and_holds_nothing_but_shapes_and_text(paint: Any, any_scene: Scene) -> None:
    tree = ElementTree.fromstring(paint(any_scene))
    tags = {element.tag.split("}")[1] for element in tree.iter()}
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    assert tags <= {"svg", "g", "path", "rect", "text", "polygon", "polyline", "ellipse"}
    named = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in named if name.startswith("on") or "href" in name or name == "id"}


@pytest.mark.parametrize("paint", PAINTERS)
@pytest.mark.parametrize(("object", "words"), KNOWN, ids=lambda value: getattr(value, "kind", ""))
def test_a_picture_says_the_same_as_the_text(paint: Any, object: AnyObject, words: list[str]) -> None:
    joined = unwrapped(paint(holding(object)).replace("</text>", " "))
    for word in words:
        shown = word.replace('"', "&quot;").replace("→", "→")
        assert " ".join(shown.split())[:30] in joined.replace("&#45;", "-").replace("&#39;", "'")


@pytest.mark.parametrize("paint", PAINTERS)
def test_a_deadlock_has_the_warning_colour_and_a_mark_in_words(paint: Any) -> None:
    drawn = paint(CROSSED)
    assert palette.WARNING in drawn
    assert "✗ waits for ever" in unwrapped(drawn)
    assert "DEADLOCK" in drawn
    calm = dataclasses.replace(CROSSED, deadlocks=())
    assert palette.WARNING not in paint(calm)
    assert "✗" not in paint(calm)


def test_a_picture_can_be_heard() -> None:
    tree = ElementTree.fromstring(svg(CROSSED))
    assert tree.attrib["role"] == "img"
    assert "both read first" in tree.attrib["aria-label"]


def test_there_is_a_picture_without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "waits for ever" in svg(CROSSED)
    ElementTree.fromstring(svg(CROSSED))


@pytest.mark.skipif(not shutil.which("dot"), reason="graphviz is not installed")
@pytest.mark.parametrize("any_scene", [nasty(), CROSSED, Scene(), *(holding(o) for o, _ in KNOWN)])
def test_graphviz_takes_the_source_without_a_word(any_scene: Scene) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=dot(any_scene).encode(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def too_wide(drawn: str) -> Iterator[tuple[str, float]]:
    """Words that are wider than the box they stand in, in the widest of the usual fonts."""
    boxes = []
    for element in ElementTree.fromstring(drawn).iter():
        tag, at = element.tag.split("}")[1], element.attrib
        if tag == "rect":
            boxes.append((float(at["x"]), float(at["y"]), float(at["width"]), float(at["height"])))
        elif tag in ("polygon", "path") and at["fill"] in {*palette.FILLS.values(), palette.WARNING}:
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", at.get("points") or at["d"])]
            xs, ys = numbers[::2], numbers[1::2]
            boxes.append((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))
        elif tag == "text" and at["fill"] == palette.INK:
            x, y, size = float(at["x"]), float(at["y"]), float(at.get("font-size", palette.SIZE))
            words, mono = (element.text or "").rstrip("\u00a0"), "mono" in at.get("font-family", "")
            wide = widths.width(words, size, bold=at.get("font-weight") == "bold", mono=mono)
            left, right = (x - wide / 2, x + wide / 2) if at["text-anchor"] == "middle" else (x, x + wide)
            inside = [b for b in boxes if b[0] <= x <= b[0] + b[2] and b[1] <= y <= b[1] + b[3]]
            assert inside, words
            yield from ((words, right) for b in inside[-1:] if left < b[0] or right > b[0] + b[2])


@pytest.mark.parametrize("paint", PAINTERS)
def test_words_stay_in_their_box_with_whatever_font(paint: Any) -> None:
    for name, made in sample_scenes.SCENES.items():
        assert (name, list(too_wide(paint(made())))) == (name, [])


def test_a_box_of_a_figure_is_wide_enough_with_whatever_font() -> None:
    source = figure("A box.").process("two lines, the\nsecond of them longer").source
    told = re.search(r" width=([\d.]+)", source)
    assert told
    assert float(told[1]) * 72 > widths.width("second of them longer", palette.SIZE) + 20


def test_words_are_as_wide_in_a_still_as_in_a_live_picture() -> None:
    source = (Path(widths.__file__).parents[1] / "ui" / "widths.js").read_text()
    table = source[source.index("const LETTERS") : source.index("const WIDTHS")]
    told = re.findall(r'\[(\d+), ("(?:[^"\\]|\\.)*")\]', table)
    assert [(int(wide), json.loads(letters)) for wide, letters in told] == list(widths.LETTERS)
    assert {f"{n}" for n in (widths._BOLD, widths._MONO)} <= set(re.findall(r"const \w+ = ([\d.]+);", source))


@given(st.text(), st.integers(20, 200))
def test_wrapped_words_are_all_there_and_none_is_wider_than_its_line(words: str, room: int) -> None:
    lines = widths.wrap(words, room, 10)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert widths.widest(lines, 10) <= room
    assert widths.widest(widths.wrap(words, room, 10, most=2), 10) <= room


def test_whoever_talks_through_an_object_stands_on_its_other_side() -> None:
    stand = {name: seats(sketch(made())) for name, made in sample_scenes.SCENES.items()}
    assert stand["pipe"] == {"p12": "left", "p13": "right"} | {
        id: "middle" for id in stand["pipe"] if id.startswith("o")
    }
    assert [stand["pipeline"][f"p{pid}"] for pid in (21, 22, 23, 24)] == ["left", "right"] * 2
    assert stand["crossed"]["p12"] != stand["crossed"]["p13"]


def test_a_wait_goes_along_the_lines_to_whoever_could_end_it() -> None:
    lines = sketch(CROSSED).lines
    assert all(line.dead and line.stroke == "data" for line in lines), "a closed loop, and nothing beside it"
    assert [line.awaited for line in lines] == [not line.active for line in lines]
    alone = process(P, "a", reading(3, "pipe-1"), {3: ("pipe-1", "r"), 4: ("pipe-1", "w")})
    assert all(line.dead for line in sketch(judge(scene(alone))).lines)


def test_who_waits_at_one_end_of_a_connection_waits_for_whoever_has_the_other() -> None:
    ends = {3: ("s-1", "rw"), 4: ("s-2", "rw")}
    waiting = process(P, "a", Blocked("recv", 3, "s-1", timed=False), ends)
    one, other = (
        UnixSocket(id=id, kind="unix-socket", name=id, peer=peer)
        for id, peer in (("s-1", "s-2"), ("s-2", "s-1"))
    )
    wait = Wait(pid=P, tid=P, object="s-1", for_=(P, C))
    lines = sketch(Scene((waiting, process(C, "b", None, ends)), (one, other), waits=(wait,))).lines
    assert {(line.start, line.end) for line in lines if line.awaited} == {("p10", "o1"), ("p11", "o1")}
    assert [(line.start, line.end) for line in lines if line.active] == [("p10", "o0")]
    assert not [line for line in lines if line.stroke == "waits"]


@pytest.mark.skipif(not shutil.which("dot"), reason="graphviz is not installed")
def test_a_long_pipeline_is_no_wider_than_a_short_one() -> None:
    def width(processes: int) -> float:
        line = [
            process(P + i, f"stage {i}", None, {0: (f"pipe-{i}", "r"), 1: (f"pipe-{i + 1}", "w")})
            for i in range(processes)
        ]
        drawn = ElementTree.fromstring(svg(scene(*line))).attrib
        assert float(drawn["width"].removesuffix("pt")) <= 615, "a page that does not shrink cuts it off"
        return float(drawn["viewBox"].split()[2])

    assert width(1) < width(2) < 1000
    assert width(9) < 1.2 * width(3)


def test_a_hidden_detail_is_a_box_less() -> None:
    shared = holding(blank("pipe"), Other(id="terminal-1", kind="terminal", name="/dev/pts/0"))
    assert [box.title for box in sketch(shared).boxes] == ["a (10)", "b (11)", "x-1"]


def test_a_self_made_box_is_as_high_as_its_words() -> None:
    long = Pipe(id="pipe-1", kind="pipe", name="", queued=1, capacity=9, head=b"x", notes=tuple("abcdef"))
    tree = ElementTree.fromstring(by_us(holding(long)))
    frames = [e for e in tree.iter("{http://www.w3.org/2000/svg}rect") if e.get("rx") == "0"]
    bottom = max(float(f.attrib["y"]) + float(f.attrib["height"]) for f in frames)
    texts = list(tree.iter("{http://www.w3.org/2000/svg}text"))
    assert texts
    assert max(float(t.attrib["y"]) for t in texts) < bottom


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_every_colour_can_be_seen_on_a_light_and_on_a_dark_page(page: str) -> None:
    lines = {*palette.STROKES.values(), *palette.FILLS.values(), palette.WARNING, palette.AMBER, palette.GREY}
    assert {colour: round(contrast(colour, page), 1) for colour in lines if contrast(colour, page) < 3} == {}


def test_ink_can_be_read_on_every_box() -> None:
    fills = {*palette.FILLS.values(), palette.WARNING}
    assert {fill for fill in fills if contrast(palette.INK, fill) < 4.5} == set()


@given(any_scenes())
@settings(max_examples=50)
def test_our_own_picture_is_well_formed_whatever_the_names_are(any_scene: Scene) -> None:
    ElementTree.fromstring(by_us(any_scene))


def test_pipe_ends_stand_on_either_side_of_it() -> None:
    line = scene(process(P, "a", None, {1: ("pipe-1", "w")}), process(C, "b", None, {0: ("pipe-1", "r")}))
    assert "a (1) ▸ pipe-1 ▸ b (0)" in text(line)
    strokes = [(one.start, one.end, one.label) for one in sketch(line).lines]
    assert strokes == [("p10", "o0", "1"), ("o0", "p11", "0")]
    assert pipe("pipe-1").writers == ()
