"""Brings the pictures of the notebook's programs to the views that want them.

One thread takes pictures off the supervisor's hands and sends each view what has changed, the latest
only: a slow browser gets fewer pictures, never late ones. The first view begins it, the last one out
ends it, and the looking with it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from labkit import changes

if TYPE_CHECKING:
    from labkit.view import View

HIDDEN_S = 1.0
"""A view that cannot be seen gets a picture this often."""
QUIET_S = 0.3
"""A picture that has not changed for so long, with everybody asleep, has come to rest."""
NEWS_S = 5.0
"""Within so long the notebook hears of the end of a program that a picture no longer shows."""


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
        """Show `view` no more pictures; the last one out ends the thread and the looking.

        From then on closing it touches nothing of ours: a view that nobody keeps is closed by whatever
        thread collects garbage, also by one that holds our lock, or for which its holder waits.
        """
        view.on_closed = _nothing
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
                behind = self._bring(latest, views)

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
                if view.status == "waiting" or view.due(now):
                    view.show(picture)
                    view.status = "live"  # who waits for this finds the picture there
                else:
                    behind = True
            elif view.status == "live":
                self._end(view, names)
        with self._changed:
            self._changed.notify_all()
        return behind

    def _end(self, view: View, names: tuple[str, ...]) -> None:
        from labkit.supervisor import current

        supervisor = current()
        programs = supervisor.programs() if supervisor else []
        if supervisor is not None:
            # A picture may be faster than the news that a program in the last one has ended.
            shown = {p["pid"] for p in view.feed["scene"]["processes"]}
            ending_now = [p for p in programs if p.pid in shown]
            supervisor.wait_for(lambda: not any(p.alive for p in ending_now), NEWS_S)
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


def _nothing() -> None:
    pass


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
