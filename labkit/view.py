"""A Scene or a Film as a live widget; the same thing as a still picture and as text in its output.

`watch()` follows the notebook's programs. One thread takes pictures off the supervisor's hands and
sends each view what has changed, the latest only: a slow browser gets fewer pictures, never late ones.
The whole scene is kept in the widget's state, so a page that is loaded again, or a second tab, starts
from how things are now. A view that cannot be seen gets one picture a second; one that is nowhere on a
page gets none.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from labkit import changes, draw
from labkit.errors import LabError
from labkit.film import Film
from labkit.focus import renumbered
from labkit.pages import bundle, film_page, packed
from labkit.scene import Scene

__all__ = ["View", "film_page", "show", "show_film", "show_outcomes", "watch"]

HIDDEN_S = 1.0
"""A view that cannot be seen gets a picture this often."""
QUIET_S = 0.3
"""A picture that has not changed for so long, with everybody asleep, has come to rest."""


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
        picture = changes.without_clocks(scene.to_dict()) if scene is not None else changes.EMPTY
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
        if self.feed["scene"]["processes"]:
            data["image/svg+xml"] = still(renumbered(self.scene))
        return (data, *metadata)


@functools.lru_cache(maxsize=8)
def still(scene: Scene) -> str:
    """A scene as SVG; many views of one scene need it drawn once."""
    return draw.svg(scene)


class Feed:
    """One thread that brings the supervisor's pictures to the views that want them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._latest: dict[str, Any] | None = None
        self._fresh = False
        self._views: dict[View, tuple[str, ...]] = {}
        self._watch: Any = None
        self._arrived = 0.0

    def add(self, view: View, names: tuple[str, ...]) -> None:
        """Begin to show `view` these programs."""
        from labkit.supervisor import connect

        view.on_closed = lambda: self.remove(view)
        with self._changed:
            self._views[view] = names
            self._fresh = True
            self._changed.notify_all()
            if self._watch is None:
                self._latest = None
                threading.Thread(target=self._run, name="labkit-view", daemon=True).start()
                self._watch = connect().watch(self._picture)

    def remove(self, view: View) -> None:
        """Show `view` no more pictures; the last one out ends the thread and the looking."""
        with self._changed:
            self._views.pop(view, None)
            if not self._views and self._watch is not None:
                self._watch.close()
                self._watch = None
            self._changed.notify_all()

    def _picture(self, scene: dict[str, Any]) -> None:
        with self._changed:
            self._latest, self._fresh = scene, True
            self._arrived = time.monotonic()
            self._changed.notify_all()

    def _run(self) -> None:
        behind = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._fresh or not self._views, HIDDEN_S if behind else None)
                if not self._views:
                    return
                self._fresh = False
                latest, views = self._latest, dict(self._views)
            if latest is not None:
                behind = self._bring(changes.without_clocks(latest), views)

    def _bring(self, scene: dict[str, Any], views: dict[View, tuple[str, ...]]) -> bool:
        """Show a picture to the views whose turn it is; True when some still wait for theirs."""
        scene = changes.without(scene, cameras())
        now = time.monotonic()
        behind = False
        for view, names in views.items():
            picture = changes.only(scene, names)
            living = [p for p in picture["processes"] if p["state"] not in ("zombie", "dead")]
            view.had_programs |= any(p["pid"] != os.getpid() for p in living)
            if living and not (view.had_programs and all(p["pid"] == os.getpid() for p in living)):
                if view.status == "waiting":
                    view.status = "live"
                if view.due(now):
                    view.show(picture)
                else:
                    behind = True
            elif view.status == "live":
                self._end(view, names)
        with self._changed:
            self._changed.notify_all()
        return behind

    def _end(self, view: View, names: tuple[str, ...]) -> None:
        from labkit.supervisor import current

        programs = current().programs() if current() else []  # type: ignore[union-attr]
        view.endings = tuple(
            f"{p.name} {ending(p.status)}" for p in programs if not p.alive and (not names or p.name in names)
        )
        view.status = "ended"
        self.remove(view)

    def wait_shown(self, view: View, timeout: float) -> None:
        """Wait until the view shows a program, or has nothing to wait for."""
        with self._changed:
            self._changed.wait_for(lambda: view.status != "waiting", timeout)

    def wait_quiet(self, view: View, timeout: float) -> None:
        """Wait until the picture has come to rest, or its programs have ended."""
        end = time.monotonic() + timeout
        with self._changed:
            while view.status != "ended" and (now := time.monotonic()) < end:
                rest = self._arrived + QUIET_S - now
                shown = view.status == "live" and not self._fresh
                if rest <= 0 and shown and at_rest(view.feed["scene"]):
                    return
                self._changed.wait(min(end - now, max(rest, 0.02)))


def cameras() -> set[str]:
    """Names of programs that are ours: they record others, and are no part of the picture."""
    from labkit.supervisor import current

    supervisor = current()
    return (
        {p.name for p in supervisor.programs() if "labkit.studio" in p.command.argv} if supervisor else set()
    )


def at_rest(scene: dict[str, Any]) -> bool:
    """Is everybody asleep in a call without a time limit, or dead?"""
    return all(
        p["state"] in ("zombie", "dead", "stopped") or (p["blocked"] and p["blocked"]["timed"] is False)
        for p in scene["processes"]
    )


def ending(status: int | None) -> str:
    """`ended with status 0`, `was ended by SIGKILL`."""
    from labkit.words import signal_name

    if status is None:
        return "ended"
    return f"was ended by {signal_name(-status)}" if status < 0 else f"ended with status {status}"


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
    """A film, to be played; its still is the last frame."""
    view = View(film.scenes[-1] if film.scenes else None, film=packed(film.to_dict()))
    view.text = film.told() or "An empty film."
    return view


def show_outcomes(outcomes: dict[str, Any], text: str, replay: Callable[[int], Film] | None = None) -> View:
    """What `explore` found, as a table; `replay(n)` makes the film of the n-th outcome when asked."""
    view = View(outcomes=outcomes)
    view.text, view.replay = text, replay
    return view


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
