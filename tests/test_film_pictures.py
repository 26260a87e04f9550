"""Films and outcomes as stills: they say what the text says, invent nothing, and are safe with any text."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import colours
import pytest
from scenes import process, reading, scene, waiting
from stage import filmed, python

from labkit import draw, view
from labkit.draw import filmsvg, palette
from labkit.draw.lanes import Lane, Row, Wait, reel
from labkit.exploration import Exploration, Outcome
from labkit.film import Exit, Film, Frame, ProgramLine, Written
from labkit.scene import Blocked, Limit, Scene, Thread
from labkit.waits import judge

P, C = 10, 11
SVG = "{http://www.w3.org/2000/svg}"
NASTY = "</text><script>alert(1)</script>\"'&\\ \n\x1b[31m\x00\u202e\ud800 ]]> `<B>"


def film(*steps: tuple[int, str, str | None, Scene], **more: Any) -> Film:
    """A film by hand: of each frame its pid, its text, its call, and the scene after it."""
    names = {P: "parent", C: "child"}
    frames = tuple(
        Frame(n, who, pid, call, f"{who}: {text}", -4 if "= -1" in text else 0, "waits" in text, n)
        for n, (pid, text, call, _) in enumerate(steps)
        for who in [more.get("who", names)[pid]]
    )
    more.pop("who", None)
    return Film((ProgramLine("parent", "x"),), frames, tuple(step[3] for step in steps), **more)


ONE = scene(process(P, "parent"))
TWO = scene(process(P, "parent"), process(C, "child", ppid=P))
WAITS = scene(process(P, "parent", reading(3, "pipe-1")), process(C, "child", ppid=P))
TALK = film(
    (P, "pipe([3, 4]) = 0", "pipe2", ONE),
    (P, "fork() = child", "clone", TWO),
    (P, "read(3) … waits", "read", WAITS),
    (C, "close(3) = 0", "close", WAITS),
    (C, 'write(4, "hello", 5) = 5', "write", TWO),
    (C, "exits 0", None, scene(process(P, "parent"), process(C, "child", ppid=P, state="zombie"))),
    (P, "read(3) = 5 b'hello'", "read", TWO),
    (P, "exits 0", None, Scene()),
    output=(Written("parent", "stdout", "hello\n", 7),),
    exits=(Exit("parent", P, 0), Exit("child", C, 0)),
)


def lanes(shown: Film) -> dict[str, Lane]:
    return {lane.who: lane for lane in reel(shown).lanes}


def test_a_film_is_a_row_for_each_frame_and_each_line_of_output_and_a_lane_for_each_process() -> None:
    rows = reel(TALK).rows
    assert [row.mark for row in rows] == [
        "call",
        "call",
        "waits",
        "call",
        "call",
        "ends",
        "call",
        "says",
        "ends",
    ]
    assert rows[7] == Row("parent", "hello", "says")
    assert rows[4].text == 'write(4, "hello", 5) = 5'
    parent, child = reel(TALK).lanes
    assert (parent.who, parent.born, parent.first, parent.last, parent.ended) == ("parent", None, 0, 8, True)
    assert (child.who, child.born, child.parent, child.last, child.ended) == ("child", 1, "parent", 5, True)


def test_who_woke_a_process_is_known_from_when_it_is_no_longer_asleep() -> None:
    assert lanes(TALK)["parent"].waits == [Wait(2, 6, woken=4)]


def test_a_wait_that_nobody_is_seen_to_end_has_no_arrow() -> None:
    blind = dataclasses.replace(TALK, scenes=(Scene(),) * len(TALK.scenes))
    assert lanes(blind)["parent"].waits == [Wait(2, 6, woken=None)]
    asleep = scene(process(P, "parent", Blocked("clock_nanosleep", timed=True)), process(C, "child", ppid=P))
    timed = film(
        (P, "fork() = child", "clone", TWO),
        (P, "clock_nanosleep(1 s) … waits", "clock_nanosleep", asleep),
        (C, "close(3) = 0", "close", asleep),
        (P, "clock_nanosleep(1 s) = 0", "clock_nanosleep", TWO),
    )
    assert lanes(timed)["parent"].waits == [Wait(1, 3, woken=None)]


def test_a_thread_has_a_lane_that_branches_off_and_is_woken_alone() -> None:
    def threads(*blocked: Blocked | None) -> Scene:
        made = tuple(Thread(P + n, "sleeping" if b else "running", b) for n, b in enumerate(blocked))
        return scene(process(P, "parent", blocked[0], threads=made))

    shown = film(
        (P, "clone(CLONE_THREAD) = t2", "clone", threads(None, None)),
        (C, "read(3) … waits", "read", threads(None, reading(3, "pipe-1"))),
        (P, "write(4) = 5", "write", threads(None, None)),
        (C, "read(3) = 5", "read", threads(None, None)),
        who={P: "parent", C: "t2"},
    )
    shown = dataclasses.replace(shown, frames=tuple(dataclasses.replace(f, pid=P) for f in shown.frames))
    assert (lanes(shown)["t2"].born, lanes(shown)["t2"].waits) == (0, [Wait(1, 3, woken=2)])


TALKING = """\
import os
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, os.read(r, 5))
    os._exit(0)
os.write(w, b"hello")
os.wait()
"""


def test_a_real_film_has_its_forks_waits_and_wake_ups() -> None:
    shown = reel(filmed(python(TALKING), turns="child-first"))
    parent, child = shown.lanes
    assert child.born is not None
    assert (child.parent, shown.rows[child.born].text) == ("parent", "fork() = child")
    woken = [shown.rows[wait.woken or 0] for wait in child.waits]
    assert woken == [Row("parent", 'write(4, "hello", 5) = 5', "call")]
    assert (parent.waits, parent.ended, child.ended) == ([], True, True)


# --- the picture ------------------------------------------------------------------------------------


def words(drawn: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


STUCK_SCENE = judge(
    scene(
        process(P, "parent", waiting(C), {}),
        process(C, "child", reading(3, "pipe-1"), {3: ("pipe-1", "r"), 4: ("pipe-1", "w")}, ppid=P),
    )
)
STUCK = film(
    (P, "fork() = child", "clone", TWO),
    (P, "wait4(any child) … waits", "wait4", scene(process(P, "parent", waiting(C)), TWO.processes[1])),
    (C, "read(3) … waits", "read", STUCK_SCENE),
    exits=(Exit("parent", P, None), Exit("child", C, None)),
    limits=(Limit("deadlock", "`child` waits for `itself`."), Limit("the order", "Ours.")),
)


def test_the_picture_says_what_the_text_says_with_each_name_once_a_turn() -> None:
    assert words(draw.film(TALK)) == [
        "parent", "pipe([3, 4]) = 0", "fork() = child", "read(3) … waits",
        "child", "close(3) = 0", 'write(4, "hello", 5) = 5', "exits 0",
        "parent", "read(3) = 5 b'hello'", "says", "hello", "exits 0",
    ]  # fmt: skip
    heard = ElementTree.fromstring(draw.film(TALK)).attrib
    assert heard["role"] == "img"
    assert heard["aria-label"].startswith("A film of parent, 8 frames: parent: pipe([3, 4]) = 0 ")
    assert heard["aria-label"].endswith("parent says: hello parent: exits 0")


def test_a_wait_for_ever_has_the_warning_colour_its_words_and_the_scene_below() -> None:
    drawn = draw.film(STUCK)
    said = words(drawn)
    assert "read(3) … waits for ever" in said
    assert "DEADLOCK: child waits for itself." in said
    assert any("pipe-1" in word for word in said), "the last scene"
    bars = [
        e.get("stroke") for e in ElementTree.fromstring(drawn).iter(f"{SVG}path") if e.get("stroke-linecap")
    ]
    assert bars == [palette.CARD_WARNING] * 2
    assert "Ours." not in drawn
    told = STUCK.told().splitlines()[-1]
    assert told == "DEADLOCK: `child` waits for `itself`."
    assert palette.CARD_WARNING not in draw.film(TALK)


def test_of_a_long_film_the_first_and_the_last_rows_are_drawn_and_the_rest_is_counted() -> None:
    long = film(*[(P, f"write(4, {n}) = 1", "write", ONE) for n in range(100)], (P, "exits 0", None, Scene()))
    said = words(draw.film(long))
    rows = [word for word in said if word.startswith(("write", "exits"))]
    assert len(rows) == filmsvg.MOST
    assert (rows[0], rows[-1]) == ("write(4, 0) = 1", "exits 0")
    assert f"… {101 - filmsvg.MOST} more rows …" in said
    assert draw.film(long).count("<text") == filmsvg.MOST + 3
    assert "write(4, 50) = 1" in long.told()


def test_a_long_line_is_cut_and_a_picture_is_no_wider_than_a_page() -> None:
    wide = film((P, "write(4, " + "漢" * 200 + ") = 400", "write", ONE))
    drawn = ElementTree.fromstring(draw.film(wide))
    assert float(drawn.attrib["width"]) <= 820
    assert [word for word in words(draw.film(wide)) if word.endswith("…")]


def test_of_a_line_that_is_too_long_its_bytes_give_way_and_its_end_is_seen() -> None:
    call = f'write(4, "{"a" * 80}…", 4097)'
    drawn = draw.film(film((P, f"{call} … waits", "write", ONE), (P, f"{call} = 4097", "write", ONE)))
    waits, written = (line for line in words(drawn) if line.startswith("write"))
    assert re.fullmatch(r'write\(4, "a{12,}…", 4097\) … waits', waits)
    assert re.fullmatch(r'write\(4, "a{12,}…", 4097\) = 4097', written)


def nasty() -> Film:
    bad = scene(process(P, NASTY, reading(3, "pipe-1"), {3: ("pipe-1", "r")}))
    frames = tuple(Frame(n, NASTY, P, NASTY, f"{NASTY}: {NASTY}", -1, n == 1, 0) for n in range(2))
    return Film((ProgramLine(NASTY, NASTY),), frames, (bad,), (Written(NASTY, NASTY, NASTY, 1),),
                (Exit(NASTY, P, None),), (NASTY,), (Limit("deadlock", NASTY), Limit("x", NASTY)))  # fmt: skip


LOST = Exploration(70, True, [
    Outcome("4\n", {"parent": 0}, None, [], 6),
    Outcome("", {"parent": None, "child": 1}, "`a` waits for `b`.", ["System V semaphore set 3"], 32),
    Outcome(NASTY, {NASTY: -11}, NASTY, [NASTY], 1, ending=NASTY),
], [Limit("all orders", "Stopped after 70, as asked.")], exhaustive=True)  # fmt: skip


@pytest.mark.parametrize("drawn", [
    draw.film(TALK), draw.film(STUCK), draw.film(nasty()), draw.film(Film()),
    draw.outcomes(LOST), draw.outcomes(Exploration()),
])  # fmt: skip
def test_a_still_is_well_formed_and_holds_nothing_but_shapes_and_text(drawn: str) -> None:
    tree = ElementTree.fromstring(drawn)
    tags = {element.tag.split("}")[1] for element in tree.iter()}
    assert tags <= {"svg", "g", "path", "rect", "circle", "text", "tspan", "polygon", "polyline", "ellipse"}
    named = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in named if name.startswith("on") or "href" in name or name == "id"}


def test_who_has_only_written_output_before_the_film_was_cut_has_a_lane() -> None:
    """To write to one's own output is no frame."""
    cut = dataclasses.replace(
        film((P, "fork() = child", "clone", TWO)), output=(Written("child", "stdout", "a\nb\n", 1),)
    )
    child = lanes(cut)["child"]
    assert (child.first, child.last, child.ended) == (1, 2, False)
    assert "says" in draw.film(cut)


def test_backticks_that_a_program_wrote_are_seen_and_those_around_a_name_make_it_bold() -> None:
    wrote = dataclasses.replace(
        film((P, 'write(4, "`a`", 3) = 3', "write", ONE)),
        output=(Written("parent", "stdout", "`ls` it\n", 1),),
        limits=(Limit("x", "for " + "a" * 50 + " `child 2` " * 9 + "to end"),),
    )
    root = ElementTree.fromstring(draw.film(wrote))
    lines = ["".join(line.itertext()) for line in root.iter(f"{SVG}text")]
    assert 'write(4, "`a`", 3) = 3' in lines
    assert "`ls` it" in lines
    bold = [part.text.strip() for part in root.iter(f"{SVG}tspan") if part.text and part.text.strip()]
    assert len(lines) > 5
    assert set(bold) == {"child 2", "child", "2"}, "the name goes over the end of a line"


def test_outcomes_are_drawn_with_bars_and_how_they_ended() -> None:
    drawn = draw.outcomes(LOST)
    said = words(drawn)
    assert said[0] == "Every order was tried: 70 orders. 3 outcomes."
    assert {"6 (15 %)", "32 (82 %)", "4", "(nothing)", "all ended well", "child exits 1"} <= set(said)
    assert "deadlock: a waits for b." in said
    assert "left behind: System V semaphore set 3" in " ".join(said)
    assert "all orders: Stopped after 70, as asked." in said
    many = dataclasses.replace(LOST, outcomes=LOST.outcomes * 5)
    assert "… and 5 more outcomes" in words(draw.outcomes(many))


def test_films_and_outcomes_have_a_still_beside_their_text() -> None:
    for shown, drawn in (
        (view.show_film(TALK), draw.film(TALK)),
        (view.show_outcomes(LOST), draw.outcomes(LOST)),
    ):
        data = shown._repr_mimebundle_()[0]
        assert data["image/svg+xml"] == drawn
        assert data["text/plain"] == shown.text
        shown.close()


def test_what_is_written_on_a_card_can_be_read_and_told_apart() -> None:
    ink = {palette.CARD_INK, palette.CARD_SOFT, palette.CARD_AMBER, palette.CARD_WARNING, *palette.LANES}
    assert {c for c in ink if colours.contrast(c, palette.CARD) < 4.5} == set()
    assert colours.contrast(palette.CARD_INK, palette.CARD_LINE) >= 4.5
    for by in colours.SEEN_BY:
        assert colours.distance(palette.CARD_AMBER, palette.CARD_WARNING, by) >= 20
        close = [c for c in palette.LANES for bar in (palette.CARD_AMBER, palette.CARD_WARNING)
                 if colours.distance(c, bar, by) < 20]  # fmt: skip
        assert close == []


def test_a_film_is_saved_as_a_picture(tmp_path: Any) -> None:
    TALK.save(str(tmp_path / "film.svg"))
    assert re.match(r"<svg .*</svg>\n$", (tmp_path / "film.svg").read_text(), re.DOTALL)
