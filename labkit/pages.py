"""The front end, and a page that plays a film with nothing but a browser: no network, no server.

The film is in the page as JSON (`<script type="application/json" id="film">`), its scenes as what
changed from one to the next. Everything in it that came from a program is data: no part of it is markup.
"""

from __future__ import annotations

import functools
import html
import importlib.resources
import json
from typing import Any

from labkit import changes, words

Json = dict[str, Any]


@functools.cache
def bundle() -> str:
    """The front end: one ES module."""
    return (importlib.resources.files("labkit") / "ui" / "bundle.js").read_text("utf-8")


def shortly(scene: Json) -> Json:
    """The scene with the names of things as a still says them: less what is another in every notebook."""
    return {
        **scene,
        "processes": [_shortly(process) for process in scene["processes"]],
        "objects": [_shortly(thing) for thing in scene["objects"]],
    }


def _shortly(thing: Json) -> Json:
    short = {key: _said(thing[key]) for key in ("name", "path", "command") if thing.get(key)}
    return thing if all(thing[key] == said for key, said in short.items()) else {**thing, **short}


def _said(text: str) -> str:
    return " ".join(map(words.shortened, text.split(" ")))


def packed(film: Json) -> Json:
    """The film with each scene as what is new in it; the first is whole, None where nothing is new."""
    scenes: list[Json | None] = []
    last: Json | None = None
    for scene in map(shortly, map(changes.without_clocks, film["scenes"])):
        scenes.append(scene if last is None else changes.change(last, scene))
        last = scene
    return {**film, "scenes": scenes}


def film_page(film: Json) -> str:
    """The film (a dictionary, as `Film.to_dict` makes it) as one self-contained HTML page."""
    title = ", ".join(program["name"] for program in film["programs"]) or "film"
    return (
        _PAGE.replace("@TITLE@", html.escape(title))
        .replace("@SCRIPT@", bundle().replace("</script", "<\\/script").replace("<!--", "<\\!--"))
        .replace("@FILM@", json.dumps(packed(film)).replace("<", "\\u003c"))
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Film: @TITLE@</title>
<style>
body { margin: 0; padding: 12px 20px; background: #ffffff; color: #14181d; font-family: sans-serif }
#view > :focus { outline: none }
h1 { font-size: 20px; margin: 4px 0 8px }
@media (prefers-color-scheme: dark) { body { background: #111417; color: #f3f5f7 } }
</style>
</head>
<body>
<main><h1>Film: @TITLE@</h1><div id="view"></div></main>
<script type="application/json" id="film">@FILM@</script>
<script type="text/plain" id="code">@SCRIPT@</script>
<script type="module">
const textOf = (id) => document.getElementById(id).textContent;
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => { document.body.dataset.jpThemeLight = String(!dark.matches); };
dark.addEventListener("change", theme);
theme();
const code = URL.createObjectURL(new Blob([textOf("code")], { type: "text/javascript" }));
const { play } = await import(code);
const view = document.getElementById("view");
play(JSON.parse(textOf("film")), view);
view.firstElementChild.tabIndex = -1;  // the keys work from the beginning, and after a click beside a button
view.firstElementChild.focus({ preventScroll: true });
</script>
</body>
</html>
"""
