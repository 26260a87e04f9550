"""A Scene or a Film as a live widget; the same thing as a still picture and as text in its output.

`watch()` follows the notebook's programs; its pictures come from `feed.py`, and what travels to a page
is only what has changed. The whole scene is kept in the widget's state, so a page that is loaded again,
or a second tab, starts from how things are now. A view that cannot be seen gets one picture a second;
one that is nowhere on a page gets none.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from labkit import changes, draw
from labkit.errors import LabError
from labkit.exploration import Exploration, describe
from labkit.feed import HIDDEN_S, Feed, cameras
from labkit.film import Film
from labkit.focus import renumbered
from labkit.pages import bundle, film_page, packed, shortly
from labkit.scene import Scene

__all__ = ["View", "film_page", "show", "show_film", "show_outcomes", "watch"]

MOST_LINES = 40
"""Of what a program has written, the last lines that its panel shows."""
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal obeys and does not show: colours, titles."""


class View(anywidget.AnyWidget):
    """A picture on a page. It holds no program and no kernel object: closing it changes nothing else."""

    _esm = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Dict().tag(sync=True)
    """The newest picture, `{n, scene}`. Sent whole to a page that opens; after that only changes travel."""
    status = traitlets.Unicode("still").tag(sync=True)
    """`waiting`, `live`, `ended` or `still`."""
    ident = traitlets.Unicode().tag(sync=True)
    film = traitlets.Any(None).tag(sync=True)
    """A film to be played, its scenes as changes (`pages.packed`)."""
    outcomes = traitlets.Any(None).tag(sync=True)
    """What `explore` found."""

    def __init__(self, scene: Scene | None = None, status: str = "still", **shown: Any) -> None:
        self._sending = threading.Lock()
        self._pages: dict[str, str] = {}
        self._hidden_until = 0.0
        self.endings: tuple[str, ...] = ()
        self.had_programs = False
        """A view of programs ends with them; one of the notebook alone has nothing to end with."""
        self.on_closed: Callable[[], None] = lambda: None
        self.replay: Callable[[int], Film] | None = None
        """Makes the film of the n-th outcome."""
        self.text = ""
        """What stands for it where there is no picture; of a scene, its text."""
        self.picture = ""
        """What stands for it where nothing moves, as SVG; of a scene, its still."""
        picture = changes.EMPTY
        if scene is not None:
            picture = shortly(changes.without_clocks(scene.to_dict()))
        super().__init__(_esm=bundle(), feed={"n": 0, "scene": picture}, status=status, **shown)
        self.ident = self.model_id or ""
        self.on_msg(self._heard)

    # --- what it shows ------------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The picture it shows now."""
        return Scene.from_dict({"version": 1, **self.feed["scene"]})

    def show(self, picture: dict[str, Any]) -> None:
        """Show this scene (a dictionary) from now on; sends only what is new in it."""
        picture = shortly(picture)
        with self._sending:
            differs = changes.change(self.feed["scene"], picture)
            if differs is None:
                return
            n = self.feed["n"] + 1
            self.feed = {"n": n, "scene": picture}
            self.send({"kind": "change", "n": n, "change": differs})

    def due(self, now: float) -> bool:
        """Is it this view's turn for a new picture?"""
        places = set(self._pages.values())
        if not self._pages or "shown" in places:
            return True
        if "hidden" not in places or now < self._hidden_until:
            return False
        self._hidden_until = now + HIDDEN_S
        return True

    def _should_send_property(self, key: str, value: Any) -> bool:
        return key != "feed" and bool(super()._should_send_property(key, value))

    # --- what a page tells --------------------------------------------------------------------------

    def _heard(self, _view: Any, message: dict[str, Any], _buffers: Any) -> None:
        match message:
            case {"do": "page", "page": str(page), "is": "shown" | "hidden" | "gone" as place}:
                self._pages[page] = place
                if place == "gone":
                    self._pages = {"": "gone"} | {k: v for k, v in self._pages.items() if v != "gone"}
            case {"do": "whole"}:
                with self._sending:
                    self.send({"kind": "whole", "feed": self.feed})
            case {"do": "signal" | "stop", "asked": asked}:
                self.send({"kind": "answer", "asked": asked, "words": obey(message)})
            case {"do": "output", "name": str(name), "asked": asked}:
                self.send({"kind": "output", "asked": asked, "words": written(name)})
            case {"do": "replay", "n": int(n)} if self.replay is not None:
                self._play(n)

    def _play(self, n: int) -> None:
        assert self.replay is not None
        try:
            self.send({"kind": "film", "film": packed(self.replay(n).to_dict())})
        except LabError as error:
            self.send({"kind": "sorry", "words": str(error)})

    def close(self) -> None:
        """Take it off every page; nothing of it is left."""
        self.on_closed()
        super().close()

    # --- without a browser --------------------------------------------------------------------------

    def __repr__(self) -> str:
        if self.text:
            return self.text
        if self.endings:
            return "\n".join(self.endings)
        if not self.feed["scene"]["processes"]:
            return "No program is running." if self.status != "still" else "Nothing to see: no process."
        return draw.text(renumbered(self.scene), times=False)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        found = super()._repr_mimebundle_(**options)
        assert found is not None
        data, *metadata = found
        if self.picture:
            data["image/svg+xml"] = self.picture
        elif self.feed["scene"]["processes"]:
            data["image/svg+xml"] = still(renumbered(self.scene))
        return (data, *metadata)


@functools.lru_cache(maxsize=8)
def still(scene: Scene) -> str:
    """A scene as SVG; many views of one scene need it drawn once."""
    return draw.svg(scene)


_feed = Feed()


def watch(*names: str, wait: float = 30.0) -> View:
    """A live picture of the notebook's running programs, or of those named.

    It ends by itself when they have ended and leaves the last picture. Where nobody sits before the
    notebook (nbclient, nbval), nothing can move: there it waits until the picture has come to rest, at
    most `wait` seconds, and stores that.
    """
    from labkit.supervisor import current

    known = current()
    running = [p.name for p in known.programs() if p.alive and p.name not in cameras()] if known else []
    unknown = [name for name in names if known is None or name not in {p.name for p in known.programs()}]
    if unknown:
        raise LabError(
            f"There is no program {unknown[0]!r} to watch: start it first, with `&` at the end of its line."
        )
    view = View(status="waiting")
    _feed.add(view, names)
    if any(not names or name in names for name in running):
        _feed.wait_shown(view, 1.0)
        if not somebody_is_there():
            _feed.wait_quiet(view, wait)
    return view


def show(scene: Scene) -> View:
    """A still picture of a scene, to be looked into."""
    return View(scene)


def show_film(film: Film) -> View:
    """A film, to be played; its still shows all of it."""
    view = View(film.scenes[-1] if film.scenes else None, film=packed(film.to_dict()))
    view.text = film.told() or "An empty film."
    view.picture = draw.film(film)
    return view


def show_outcomes(found: Exploration, replay: Callable[[int], Film] | None = None) -> View:
    """What `explore` found, as a table; `replay(n)` makes the film of the n-th outcome when asked."""
    view = View(outcomes=found.to_dict())
    view.text, view.picture, view.replay = describe(found), draw.outcomes(found), replay
    return view


def written(name: str) -> str:
    """The last lines that the program of this name has written, as far as they are known."""
    from labkit.supervisor import current

    programs = current().programs() if current() else []  # type: ignore[union-attr]
    tail = next((p.tail for p in reversed(programs) if p.name == name), b"")
    text = _ESCAPES.sub("", tail.decode("utf-8", "replace").replace("\r\n", "\n"))
    return "\n".join(text.rstrip("\n").split("\n")[-MOST_LINES:])


def obey(wish: dict[str, Any]) -> str:
    """Stop a program, or signal one of its processes; says what was done."""
    from labkit.supervisor import current

    supervisor = current()
    if supervisor is None:
        return "No program of this notebook is running."
    match wish:
        case {"do": "stop", "name": str(name)}:
            for program in supervisor.programs():
                if program.alive and program.name == changes.program_of(name):
                    program.stop()
                    return f"{program.name} was asked to end."
        case {"do": "signal", "pid": int(pid), "signal": str(word)} if word in signal.Signals.__members__:
            if pid == os.getpid():
                return "This is the notebook itself: use the Kernel menu."
            process = supervisor.scene().process(pid)
            if process is not None:
                return send_signal(pid, process.name, signal.Signals[word])
    return "It has already ended."


def send_signal(pid: int, name: str, number: signal.Signals) -> str:
    """Send a signal to one of the notebook's processes; says what came of it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return "It has already ended."
    except PermissionError:
        return f"{name} runs as another user: the kernel does not let us send it a signal."
    return f"{number.name} was sent to {name}."


def somebody_is_there() -> bool:
    """Is there anybody who could type? nbclient and nbval say no; JupyterLab and the like say yes."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))
