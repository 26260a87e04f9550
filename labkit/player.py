"""A page that plays a film, with nothing but a browser: no network, no server.

The film is in the page as JSON (`<script type="application/json" id="film">`).
"""

from __future__ import annotations

import html
import json

from labkit.film import Film


def page(film: Film) -> str:
    """The film as one self-contained HTML page."""
    title = html.escape(", ".join(program.name for program in film.programs) or "film")
    data = json.dumps({**film.to_dict(), "drawn": [_drawn(scene) for scene in film.scenes]})
    return _PAGE.replace("@TITLE@", title).replace("@FILM@", data.replace("<", "\\u003c"))


def _drawn(scene: object) -> str:
    from labkit import draw

    return draw.text(scene)  # type: ignore[arg-type]


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Film: @TITLE@</title>
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
header { grid-column: 1 / 3 } ol { height: 80vh; overflow: auto; margin: 0; padding-left: 3.5em }
li, pre { font: 14px/1.4 ui-monospace, monospace } li { cursor: pointer } li[aria-current] { background: #fd6 }
li.blocked { color: #a33 } pre { white-space: pre-wrap; margin: 0 }
</style></head><body>
<header><button id="back">◀ back</button> <button id="next">next ▶</button> <span id="where"></span>
(arrow keys, Home, End)</header>
<ol id="frames"></ol><div><pre id="scene"></pre><h3>Output</h3><pre id="output"></pre><pre id="end"></pre></div>
<script type="application/json" id="film">@FILM@</script>
<script>
const film = JSON.parse(document.getElementById("film").textContent), at = id => document.getElementById(id);
let now = 0;
const rows = film.frames.map((frame, n) => {
  const row = document.createElement("li");
  row.textContent = frame.text; row.className = frame.blocked ? "blocked" : "";
  row.onclick = () => go(n); at("frames").append(row); return row;
});
function go(n) {
  if (!rows.length) return;
  rows[now].removeAttribute("aria-current");
  now = Math.max(0, Math.min(rows.length - 1, n));
  rows[now].setAttribute("aria-current", "true"); rows[now].scrollIntoView({ block: "nearest" });
  at("where").textContent = `frame ${now + 1} of ${rows.length}`;
  at("scene").textContent = film.drawn[film.frames[now].scene];
  const last = now === rows.length - 1;
  at("output").textContent = film.output.filter(o => last || o.frame <= now).map(o => o.text).join("");
  at("end").textContent = last ? [...film.left_behind.map(l => `Left behind: ${l}`),
    ...film.limits.map(l => `${l.what}: ${l.because}`)].join("\\n") : "";
}
at("back").onclick = () => go(now - 1); at("next").onclick = () => go(now + 1);
document.onkeydown = event => {
  const to = { ArrowLeft: now - 1, ArrowUp: now - 1, ArrowRight: now + 1, ArrowDown: now + 1,
    Home: 0, End: rows.length - 1 }[event.key];
  if (to !== undefined) { go(to); event.preventDefault(); }
};
go(0);
</script></body></html>
"""
