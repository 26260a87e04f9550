"""The front end by itself: every kind of object, hostile content, the keyboard, and what axe finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_scenes
from labserver import STARTED_MS

from labkit import pages
from labkit.scene import Scene

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
HOST = "http://views.test/"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>views</title>
<style>body { margin: 12px; background: #fff; min-height: 100vh } /* axe looks at no more than the body */
body[data-jp-theme-light="false"] { background: #111417; color: #fff }</style>
</head><body><main><h1>views</h1><div id="view"></div></main></body></html>"""
SHOW = """async ([state, dark]) => {
    const ui = (await import("/bundle.js")).default;
    const heard = {};
    document.body.dataset.jpThemeLight = String(!dark);
    window.sent = [];
    window.model = {
        get: (key) => state[key],
        set: (key, value) => { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
        on: (event, f) => (heard[event] ??= []).push(f),
        off: (event, f) => (heard[event] = (heard[event] ?? []).filter((g) => g !== f)),
        send: (message) => window.sent.push(message),
        tell: (message) => (heard["msg:custom"] ?? []).forEach((f) => f(message)),
        listeners: () => Object.values(heard).flat().length,
    };
    const ends = [ui.initialize({ model })];
    ends.push(ui.render({ model, el: document.getElementById("view") }));
    window.end = () => ends.forEach((f) => f());
}"""

Show = Callable[..., Any]


@pytest.fixture
def show(chromium: Any) -> Iterator[Show]:
    """`show(scene)` draws it on a page of its own; fails if the page complains or loads anything."""
    opened: list[Any] = []
    errors: list[str] = []

    def draw(scene: Scene | None = None, dark: bool = False, **state: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(STARTED_MS)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.route("**", lambda route: errors.append(route.request.url) or route.abort())
        page.route(HOST, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        page.route(
            HOST + "bundle.js",
            lambda route: route.fulfill(body=pages.bundle(), content_type="text/javascript"),
        )
        page.goto(HOST)
        feed = {"n": 0, "scene": scene.to_dict() if scene else {}}
        page.evaluate(SHOW, [{"feed": feed, "status": "live", **state}, dark])
        return page

    yield draw
    for context in opened:
        context.close()
    assert errors == []


def complaints(page: Any) -> list[str]:
    """What axe finds, in a line each."""
    if not AXE.exists():
        pytest.skip("axe-core is not here: run `npm ci`")
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("() => axe.run(document)")
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]


def film() -> dict[str, Any]:
    """Three frames, of which the second waits."""
    scenes = [sample_scenes.pipe(), sample_scenes.crossed(), sample_scenes.hostile()]
    texts = [
        'parent: write(4, "hello", 5) = 5',
        "child: read(3) … waits",
        "child: <img src=x onerror=broken()>",
    ]
    frames = [
        {
            "n": n,
            "who": text.split(":")[0],
            "pid": 12,
            "call": "x",
            "text": text,
            "result": n,
            "blocked": n == 1,
        }
        for n, text in enumerate(texts)
    ]
    return {
        "version": 1,
        "programs": [{"name": "</script><b>parent", "command": "parent"}],
        "frames": [{**frame, "scene": n} for n, frame in enumerate(frames)],
        "scenes": [scene.to_dict() for scene in scenes],
        "output": [{"who": "parent", "stream": "stdout", "text": "<script>broken()</script>\n", "frame": 1}],
        "exits": [{"who": "parent", "pid": 12, "exit": 0}, {"who": "child", "pid": 13, "exit": -9}],
        "left_behind": ["segment <i>5"],
        "limits": [],
    }


OUTCOMES = {
    "schedules": 70,
    "exhaustive": True,
    "complete": True,
    "outcomes": [
        {"output": "4\n", "exits": {"parent": 0}, "deadlock": None, "left_behind": [], "count": 32},
        {
            "output": "<b>2</b>\n" * 12,
            "exits": {"parent": 1},
            "deadlock": None,
            "left_behind": ["x"],
            "count": 6,
        },
        {"output": "", "exits": {"parent": None}, "deadlock": "all wait", "left_behind": [], "count": 32},
    ],
}


# --- every kind of object ---------------------------------------------------------------------------

SAYS = {
    "pipe": ["hello␣world", "11 of 65,536 bytes, 16 slots", "write: fd 4", "read: fd 3", "wait4 for a child"],
    "full": ["full: 65,536 of 65,536 bytes", "+65,5"],
    "pipeline": ["Grüße,", "be", "bf", "ers.fifo", "+3"],
    "memory": ["count···*", "private copy, shared", "4 KiB, 2 attached", "sealed: F_SEAL_SHRINK"],
    "semaphores": ["= 12", "2 waiting", "last: buffer", "1 waiting"],
    "queues": ["type 1", "second", "+ 3 more", "3 of 10 messages, 96 bytes, contents not visible"],
    "sockets": ["ping↵", "2 descriptors in flight", "2 waiting for accept, room for 5", "TCP: established"],
    "small": ["SIGUSR1 pending", "held by loop, 1 waiting", "fires in 700 ms", "thread tid 75: running"],
    "unknown": ["bytes not visible here", "values not visible here", "messages not visible here"],
    "multitude": ["server: 40 more", "40 in accept4", "nobody waits for accept, room for 128"],
}  # fmt: skip


def test_every_kind_is_drawn_with_what_is_in_it(show: Show) -> None:
    for name, said in SAYS.items():
        shown = show(sample_scenes.SCENES[name]()).text_content(".lk-picture")
        assert (name, [words for words in said if words not in shown]) == (name, [])


def test_a_deadlock_is_said_and_drawn_as_a_loop(show: Show) -> None:
    page = show(sample_scenes.crossed())
    assert "parent waits in read(3)" in page.inner_text(".lk-banner")
    assert page.locator(".lk-line.lk-dead").count() == 4
    assert page.locator(".lk-process.lk-dead").count() == 2


def test_memory_that_has_just_changed_is_lit(show: Show) -> None:
    page = show(sample_scenes.memory())
    assert page.locator(".lk-changed").count() == 0
    head = "eG91bnQ" + "A" * 20
    page.evaluate(
        "([head]) => model.tell({kind: 'change', n: 1, change: {objects: {'sysv-shm-1': {head}}}})", [head]
    )
    assert page.locator("[data-key='sysv-shm-1'] .lk-changed").first.text_content() == "x"


def test_descriptor_tables_meet_where_a_description_is_shared(show: Show) -> None:
    page = show(sample_scenes.pipe())
    page.click("button >> text=descriptors")
    assert page.locator(".lk-tables .lk-process").count() == 2
    words = page.get_attribute(".lk-tables svg", "aria-label")
    assert "0 rw terminal through description 1" in words
    assert "4 w pipe 1 through description 1204" in words


# --- safe -------------------------------------------------------------------------------------------


def test_names_and_bytes_of_hostile_programs_are_text(show: Show) -> None:
    page = show(sample_scenes.hostile())
    for key in page.evaluate("[...document.querySelectorAll('[data-key]')].map(e => e.dataset.key)"):
        page.focus(f"[data-key={json.dumps(key)}] .lk-hit")
        page.keyboard.press("Enter")
        assert page.locator("#view img, #view script, #view b:not(.lk-banner b)").count() == 0
    assert page.evaluate("window.broken") is None
    text = page.text_content("#view") + " ".join(
        page.evaluate("[...document.querySelectorAll('[aria-label]')].map(e => e.getAttribute('aria-label'))")
    )
    assert "<img src=x onerror" in text
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or c in "\u202e\u2066\x1b\x7f"]


def test_a_film_of_a_hostile_program_is_text(show: Show) -> None:
    page = show(film=pages.packed(film()))
    page.focus(".lk-range")
    page.keyboard.press("End")
    assert "<script>broken()</script>" in page.inner_text(".lk-output")
    assert page.locator("#view img, #view script").count() == 0


# --- the keyboard -----------------------------------------------------------------------------------


def test_the_keyboard_does_everything_in_a_film(show: Show) -> None:
    page = show(film=pages.packed(film()))
    page.focus(".lk-range")
    said = []
    for key in ("ArrowRight", "ArrowRight", "Home", "n", "End", "p", "ArrowLeft"):
        page.keyboard.press(key)
        said.append(page.inner_text(".lk-where").split()[1])
    assert said == ["2", "3", "1", "2", "3", "2", "1"]
    page.keyboard.press(" ")
    page.wait_for_selector("button[aria-label=pause]")
    page.wait_for_selector(".lk-where >> text=frame 3 of 3")
    assert "child ended by signal SIGKILL" in page.inner_text(".lk-ends")


def test_the_keyboard_goes_from_box_to_box_and_opens_one(show: Show) -> None:
    page = show(sample_scenes.pipe())
    page.focus(".lk-hit[tabindex='0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text(".lk-inside .lk-heading") == "pipe 1"
    assert "68 65 6c 6c 6f 20 77 6f 72 6c 64" in page.inner_text(".lk-inside")
    page.keyboard.press("Escape")
    assert page.locator(".lk-inside").is_hidden()


def test_an_outcome_asks_for_its_film_and_plays_it(show: Show) -> None:
    page = show(outcomes=OUTCOMES)
    assert "Every order was tried: 70 orders. 3 outcomes." in page.inner_text("caption")
    assert page.locator(".lk-outcomes tbody tr").nth(2).inner_text().count("deadlock: all wait") == 1
    page.click("button[data-n='1']")
    assert page.evaluate("window.sent") == [{"do": "replay", "n": 1}]
    page.evaluate("film => model.tell({kind: 'film', film})", pages.packed(film()))
    assert page.inner_text(".lk-where") == "frame 1 of 3"
    page.click("button >> text=all outcomes")
    assert page.locator(".lk-outcomes").count() == 1


def test_bytes_of_memory_can_be_shown_as_integers_with_the_keyboard(show: Show) -> None:
    page = show(sample_scenes.memory())
    page.focus("[data-key='sysv-shm-1'] .lk-hit")
    page.keyboard.press("Enter")
    button = "button[aria-label='integers of 4 bytes, signed']"
    page.focus(button)
    page.keyboard.press("Enter")
    assert page.get_attribute(button, "aria-pressed") == "true"
    assert page.evaluate("document.activeElement.textContent") == "4", "the button keeps the keyboard"
    cells = page.locator("[data-key='sysv-shm-1'] .lk-cell")
    assert cells.first.text_content() == str(int.from_bytes(b"coun", "little"))
    assert cells.count() == 64 / 4
    told = page.inner_text(".lk-inside")
    assert "integers of 4 bytes" in told
    assert "counter/child\t0x7f" in told, "who has it in memory, and where"
    other = page.locator("[data-key='posix-shm-1'] .lk-cell").first.text_content()
    assert len(other) < 3, "the other memory is shown as before"
    assert complaints(page) == []


def test_the_end_of_a_programs_output_is_asked_for_and_shown_as_text(show: Show) -> None:
    page = show(sample_scenes.pipe())
    page.click("[data-key='p12'] .lk-hit")
    asked = page.evaluate("sent.find(m => m.do === 'output')")
    assert asked["name"] == "parent"
    page.evaluate(
        "asked => model.tell({kind: 'output', asked, words: 'first\\n<b>last</b>'})", asked["asked"]
    )
    assert page.inner_text(".lk-tail pre") == "first\n<b>last</b>"
    assert complaints(page) == []


# --- accessible, and gone when it is gone -----------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_a_picture(show: Show, dark: bool) -> None:
    for name in ("crossed", "small", "hostile"):
        page = show(sample_scenes.SCENES[name](), dark=dark)
        page.focus(".lk-hit")
        page.keyboard.press("Enter")
        assert (name, complaints(page)) == (name, [])
        page.set_viewport_size({"width": 420, "height": 700})
        page.click("button >> text=descriptors")
        assert (name, complaints(page)) == (name, [])


def test_a_readers_own_colours_are_those_of_boxes_and_of_the_text_in_them(show: Show) -> None:
    page = show(sample_scenes.crossed(), dark=True)
    page.emulate_media(forced_colors="active")
    found = page.evaluate(
        """() => ["rect:not(.lk-hit)", "text"].map((sort) => [...new Set(
            [...document.querySelectorAll(`.lk-box ${sort}`)].map((e) => getComputedStyle(e).fill))])"""
    )
    boxes, texts = map(set, found)
    assert boxes - {"rgba(0, 0, 0, 0)", "none"} == {"rgb(255, 255, 255)"}
    assert texts == {"rgb(0, 0, 0)"}


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_a_film_full_screen_or_not_and_in_outcomes(show: Show, dark: bool) -> None:
    page = show(film=pages.packed(film()), dark=dark)
    page.focus(".lk-range")
    page.keyboard.press("n")
    assert complaints(page) == []
    page.click("button[aria-label='full screen']")
    page.wait_for_function("document.fullscreenElement !== null")
    page.focus(".lk-range")
    page.keyboard.press("End")
    assert complaints(page) == []
    page = show(outcomes=OUTCOMES, dark=dark)
    assert complaints(page) == []
    page.focus("button[data-n='1']")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    page.evaluate("film => model.tell({kind: 'film', film})", pages.packed(film()))
    page.keyboard.press("End")
    assert (page.inner_text(".lk-where"), complaints(page)) == ("frame 3 of 3", [])
    page.click("button >> text=all outcomes")
    assert page.evaluate("[document.fullscreenElement !== null, document.activeElement.dataset.n]") == [
        True,
        "0",
    ]


def test_the_film_page_plays_from_a_file_with_no_network(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "film.html").write_text(pages.film_page(film()))
    context = chromium.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(f"file://{tmp_path}/film.html")
    page.wait_for_selector(".lk-where >> text=frame 1 of 3")
    assert complaints(page) == []
    page.keyboard.press("End")  # nothing was clicked: the keys work from the beginning
    assert "<img src=x" in page.inner_text(".lk-call")
    assert (errors, page.locator("#view img").count()) == ([], 0)
    context.close()


def test_nothing_of_a_view_is_left_when_it_ends(show: Show) -> None:
    for state in ({}, {"film": pages.packed(film())}, {"outcomes": OUTCOMES}):
        page = show(sample_scenes.pipe(), **state)
        page.evaluate("window.end()")
        assert page.evaluate("[model.listeners(), document.getElementById('view').childElementCount]") == [
            0,
            0,
        ]


def test_a_lost_change_is_noticed_and_the_whole_asked_for_once(show: Show) -> None:
    page = show(sample_scenes.pipe())
    for n in (3, 4):
        page.evaluate("n => model.tell({kind: 'change', n, change: {}})", n)
    assert page.evaluate("sent.filter(m => m.do === 'whole').length") == 1
    scene = sample_scenes.full().to_dict()
    page.evaluate("scene => model.tell({kind: 'whole', feed: {n: 4, scene}})", json.loads(json.dumps(scene)))
    assert "full: 65,536" in page.text_content(".lk-picture")
