"""Pictures of the notebook's programs: one when asked, or a stream of those that differ."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.owner.loop import Owner

PERIOD_S = 1 / 30


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
        from labkit.xray import XRay

        if self._xray is None:
            self._xray = XRay({})
        owner = self._owner
        self._xray.names = {p.pid: p.name for p in owner.programs.values()}
        owner.family.look()
        scene: dict[str, Any] = self._xray.look(*sorted(owner.family.members)).to_dict()
        return scene

    def perhaps(self) -> None:
        """When watched and the time has come: look, and send what is new."""
        now = time.monotonic()
        if self.next_look is None or now < self.next_look:
            return
        if self._owner.sender.waiting or not (self._owner.programs or self._running or self._last is None):
            self.next_look = now + PERIOD_S
            return
        self._running = bool(self._owner.programs)
        scene = self.now()
        self.next_look = max(now + PERIOD_S, time.monotonic() + PERIOD_S / 2)
        told = without_clocks(scene)
        if told != self._last:
            self._last = told
            self._owner.tell({"event": "scene", "scene": scene})


def without_clocks(value: Any) -> Any:
    """The picture less what changes although nothing happens."""
    if isinstance(value, dict):
        return {k: without_clocks(v) for k, v in value.items() if k != "since_ns"}
    if isinstance(value, list):
        return [without_clocks(item) for item in value]
    return value
