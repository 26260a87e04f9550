"""Makes docs/pictures/: the views as a reader of the README sees them. `python tools/pictures.py [NAME…]`

Scenes are those of tests/sample_scenes.py; films are recorded here from the programs below, so that what
is shown can happen. Needs Chromium and playwright. Look at every picture before it is committed.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]
OUT = ROOT / "docs" / "pictures"
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

TWO_WAY = """\
import os
to_child, to_parent = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(to_child[1]); os.close(to_parent[0])
    os.write(to_parent[1], os.read(to_child[0], 100).upper())
    os._exit(0)
os.close(to_child[0]); os.close(to_parent[1])
os.write(to_child[1], b"hello")
print(os.read(to_parent[0], 100).decode())
os.wait()
"""

FORGOTTEN = """\
import os
r, w = os.pipe()
if os.fork() == 0:
    while os.read(r, 100): pass
    os._exit(0)
os.write(w, b"hello")
os.close(w)
os.wait()
"""

OUTCOMES = {
    "schedules": 70,
    "exhaustive": True,
    "complete": True,
    "outcomes": [
        {"output": "4\n", "exits": {}, "deadlock": None, "left_behind": [], "count": 6},
        {"output": "3\n", "exits": {}, "deadlock": None, "left_behind": [], "count": 32},
        {"output": "2\n", "exits": {}, "deadlock": None, "left_behind": [], "count": 32},
    ],
}

SCENES = ("pipe", "full", "crossed", "pipeline", "memory", "semaphores", "queues", "sockets", "small")
DARK = ("crossed", "sockets")
WIDE = {"width": 1000, "height": 600}
HALL = {"width": 1920, "height": 1080}


def film(source: str, name: str) -> dict[str, Any]:
    """A film of a Python program, packed as a view wants it."""
    from labkit.camera import record
    from labkit.pages import packed
    from labkit.programs import python

    return packed(record([python(source, name=name)]).to_dict())


def pictures() -> dict[str, dict[str, Any]]:
    """File name -> what to show, and how."""
    import sample_scenes

    made: dict[str, dict[str, Any]] = {}
    for name in SCENES:
        made[name] = {"scene": sample_scenes.SCENES[name]().to_dict()}
    for name in DARK:
        made[f"{name}-dark"] = {**made[name], "dark": True}
    made["crossed-hall"] = {**made["crossed"], "hall": True}
    made["descriptors"] = {**made["pipe"], "click": "button >> text=descriptors"}
    made["panel"] = {**made["pipe"], "click": "[data-key=p13] .lk-hit"}
    made["outcomes"] = {"outcomes": OUTCOMES}
    made["film"] = {"film": film(TWO_WAY, "parent"), "keys": ["n"]}
    made["film-hall"] = {**made["film"], "hall": True}
    made["film-deadlock"] = {"film": film(FORGOTTEN, "parent"), "keys": ["End"]}
    return made


def take(browser: Any, name: str, shown: dict[str, Any]) -> None:
    """One picture, as large as what is in it."""
    from test_pages import HOST, PAGE, SHOW

    from labkit.pages import bundle

    context = browser.new_context(viewport=HALL if shown.get("hall") else WIDE, reduced_motion="reduce")
    page = context.new_page()
    page.route(HOST, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.route(HOST + "bundle.js", lambda route: route.fulfill(body=bundle(), content_type="text/javascript"))
    page.goto(HOST)
    state: dict[str, Any] = {k: shown[k] for k in ("film", "outcomes") if k in shown}
    feed: dict[str, Any] = {"n": 0, "scene": shown.get("scene", {})}
    page.evaluate(SHOW, [{"feed": feed, "status": "live", **state}, shown.get("dark", False)])
    if shown.get("hall"):
        page.click("button[aria-label='full screen']")
        page.wait_for_function("document.fullscreenElement !== null")
    if "click" in shown:
        page.click(shown["click"])
    for key in shown.get("keys", ()):
        page.focus(".lk-range")
        page.keyboard.press(key)
        page.evaluate("document.activeElement.blur()")
    place = page if shown.get("hall") else page.locator("#view")
    place.screenshot(path=OUT / f"{name}.png")
    context.close()


def main(names: list[str]) -> None:
    import labserver
    from playwright.sync_api import sync_playwright

    OUT.mkdir(parents=True, exist_ok=True)
    made = pictures()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=labserver.CHROMIUM, args=["--no-sandbox"])
        for name in names or made:
            take(browser, name, made[name])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
