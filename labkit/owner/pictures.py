"""Pictures of the notebook's programs: one when asked, or a stream of those that differ."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from labkit.owner.family import state
from labkit.owner.notebook import NAME
from labkit.scene import Limit, Scene

if TYPE_CHECKING:
    from labkit.owner.loop import Owner
    from labkit.owner.program import Program

PERIOD_S = 1 / 30
MOST_SHOWN = 100


class Pictures:
    """Takes them with one X-ray, so that ids and names are the same from look to look."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._xray: Any = None
        self._last: Any = None
        self._running = False
        self.next_look: float | None = None

    def watched(self, on: bool) -> None:
        """Begin or end the stream."""
        self.next_look = time.monotonic() if on else None
        self._last = None

    def now(self, everything: bool = False) -> dict[str, Any]:
        """One picture of all programs that live."""
        self._owner.family.look()
        return self._look(self._owner.family.of(None))

    def of(self, program: Program) -> dict[str, Any]:
        """One picture of one program."""
        self._owner.family.look()
        return self._look(self._owner.family.of(program.mark))

    def _look(self, pids: list[int]) -> dict[str, Any]:
        """A look; that it fails must not end anybody's program."""
        if len(pids) > MOST_SHOWN:
            many = Limit("the programs", f"there are {len(pids)} processes; up to {MOST_SHOWN} are shown")
            return Scene(limits=(many,)).to_dict()
        try:
            scene = self._taken(_roots(pids))
        except Exception as error:
            problem = f"looking failed ({type(error).__name__}: {error})"
            scene = Scene(limits=(Limit("the programs", problem),))
        return scene.to_dict()

    def perhaps(self) -> None:
        """When watched and the time has come: look, and send what is new."""
        now = time.monotonic()
        if self.next_look is None or now < self.next_look:
            return
        running = bool(self._owner.programs) or self._owner.notebook_process.worth_showing()
        if self._owner.sender.waiting or not (running or self._running or self._last is None):
            self.next_look = now + PERIOD_S
            return
        self._running = running
        scene = self.now()
        self.next_look = max(now + PERIOD_S, time.monotonic() + PERIOD_S / 2)
        told = without_clocks(scene)
        if told != self._last:
            self._last = told
            self._owner.tell({"event": "scene", "scene": scene})

    def _taken(self, roots: list[int]) -> Scene:
        notebook = self._owner.notebook_process
        if self._xray is None:
            from labkit.xray import XRay

            self._xray = XRay({})
            self._xray.plumbing = notebook.is_plumbing
            self._xray.childless = frozenset({notebook.pid})
        self._xray.names = {p.pid: p.name for p in self._owner.programs.values()}
        if not notebook.worth_showing():
            taken: Scene = self._xray.look(*roots)
            return taken
        self._xray.names[notebook.pid] = NAME
        return notebook.without_plumbing(self._xray.look(notebook.pid, *roots))


def _roots(pids: list[int]) -> list[int]:
    """Those of which no parent is among them: a look finds the others by itself, with their names."""
    family = set(pids)
    stats = [stat for stat in map(state, pids) if stat is not None]
    return sorted(stat.pid for stat in stats if stat.ppid not in family)


def without_clocks(value: Any) -> Any:
    """The picture less what changes although nothing happens."""
    if isinstance(value, dict):
        return {k: without_clocks(v) for k, v in value.items() if k != "since_ns"}
    if isinstance(value, list):
        return [without_clocks(item) for item in value]
    return value
