"""Pictures of the notebook's programs: one when asked, or a stream of what is new.

A stream looks when there may be something to see. Whether anybody has run since the last picture is
told by a counter of each thread, which costs two microseconds to read; so it is asked often, and a
change is seen soon after it happened. Looks themselves are thirty a second at most, and fewer where
they cost much. What can change though none of the programs runs (a message from outside, a timer) is
seen by a look every now and then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from labkit import changes
from labkit.owner.family import state
from labkit.owner.notebook import NAME
from labkit.owner.runs import Runs
from labkit.scene import Limit, Scene

if TYPE_CHECKING:
    from labkit.owner.loop import Owner
    from labkit.owner.program import Program

PERIOD_S = 1 / 30
"""Between two looks, at least."""
ASK_S = 0.01
"""So often it is asked whether anybody ran, while somebody did lately."""
LATELY_S = 2.0
REST_S = 0.25
"""So often there is a look although nobody ran."""
MOST_OF_A_CORE = 0.06
"""For looks that cost much: what they may cost."""
MOST_SHOWN = 100


class Pictures:
    """Takes them with one X-ray, so that ids and names are the same from look to look."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._xray: Any = None
        self._met: frozenset[int] = frozenset()
        """Who lived at the last look."""
        self._stream: _Stream | None = None
        self._running = False
        self._with_notebook = False

    @property
    def next_look(self) -> float | None:
        """When `perhaps` wants to be called; None when nobody watches."""
        return self._stream.next if self._stream else None

    def watched(self, on: bool) -> None:
        """Begin or end the stream."""
        self._stream = _Stream() if on else None

    def now(self, everything: bool = False) -> dict[str, Any]:
        """One picture of all programs that live."""
        return self._look(None).to_dict()

    def of(self, program: Program) -> dict[str, Any]:
        """One picture of one program."""
        return self._look(program.mark).to_dict()

    def _look(self, mark: int | None, clocks: bool = True) -> Scene:
        """A look; that it fails must not end anybody's program."""
        self._owner.family.look()
        pids = self._owner.family.of(mark)
        if len(pids) > MOST_SHOWN:
            many = Limit("the programs", f"there are {len(pids)} processes; up to {MOST_SHOWN} are shown")
            return Scene(limits=(many,))
        if self._owner.family.bursts():
            return Scene(limits=(Limit("the programs", "new processes come too fast to be looked at"),))
        try:
            return self._taken(_roots(pids), clocks)
        except Exception as error:
            problem = f"looking failed ({type(error).__name__}: {error})"
            return Scene(limits=(Limit("the programs", problem),))

    def perhaps(self) -> None:
        """When watched and the time has come: look, and send what is new."""
        stream, now = self._stream, time.monotonic()
        if stream is None or now < stream.next:
            return
        if self._owner.sender.waiting or self._owner.family.swarms():
            stream.next = now + PERIOD_S
            return
        running = bool(self._owner.programs)
        if running and not stream.wants_look(now, frozenset(self._owner.family.members)):
            return
        running = running or self._owner.notebook_process.worth_showing(patient=True)
        if not (running or self._running or stream.is_new):
            stream.next = now + PERIOD_S
            return
        self._running = running
        self._send(stream)

    def _send(self, stream: _Stream) -> None:
        """Look, and send what is new in it."""
        began, used = time.monotonic(), time.thread_time()
        begins = stream.is_new
        scene = self._look(None, clocks=False)
        put_off = self._xray is not None and self._xray.put_off
        change = stream.change(scene, moving=put_off or self._with_notebook)
        if change is not None:
            self._owner.tell({"event": "scene", "begins": begins, "change": change})
        stream.looked(began, time.thread_time() - used)

    def _taken(self, roots: list[int], clocks: bool) -> Scene:
        notebook = self._owner.notebook_process
        self._begin_anew()
        if self._xray is None:
            from labkit.xray import XRay

            self._xray = XRay({})
            self._xray.plumbing = notebook.is_plumbing
            self._xray.childless = frozenset({notebook.pid})
        self._xray.clocks = clocks
        self._xray.names = {p.pid: p.name for p in self._owner.programs.values()}
        self._with_notebook = notebook.worth_showing(patient=not clocks)
        if not self._with_notebook:
            taken: Scene = self._xray.look(*roots)
            return taken
        self._xray.names[notebook.pid] = NAME
        return notebook.without_plumbing(self._xray.look(notebook.pid, *roots))

    def _begin_anew(self) -> None:
        """Once nobody of the last picture lives, objects are numbered from 1 again: ids only tell apart
        what is seen together, and a learner's first pipe of a page is no `pipe 7`."""
        living = frozenset(self._owner.family.members)
        if self._xray is not None and living and living.isdisjoint(self._met):
            self._xray.close()
            self._xray = None
        self._met = living


class _Stream:
    """What was sent to a notebook that watches, and when to look again."""

    def __init__(self) -> None:
        self.next = 0.0
        self._encoder = changes.Encoder()
        self._last: changes.Json | None = None
        self._runs = Runs()
        self._members: frozenset[int] = frozenset()
        self._moving = True
        """Something may have changed although nobody's counter tells."""
        self._stirred = 0.0
        self._earliest = 0.0
        self._rest = 0.0

    @property
    def is_new(self) -> bool:
        """Nothing was sent yet."""
        return self._last is None

    def wants_look(self, now: float, members: frozenset[int]) -> bool:
        """Is it time for a look? Else `next` says when to ask again."""
        if now < self._earliest:
            self.next = self._earliest
            return False
        if self._moving or members != self._members or self._runs.since_mark():
            self._stirred = now
        elif now < self._rest:
            self.next = now + (ASK_S if now - self._stirred < LATELY_S else PERIOD_S)
            return False
        self._members = members
        self._runs.mark()
        return True

    def change(self, scene: Scene, moving: bool) -> changes.Json | None:
        """What is new since the last picture; None when nothing is."""
        self._moving = moving or any(t.state == "running" for p in scene.processes for t in p.threads)
        self._runs.watch((p.pid, t.tid) for p in scene.processes for t in p.threads)
        picture = self._encoder.encoded(scene)
        change = changes.change(self._last or changes.EMPTY, picture)
        if self._last is None and change is None:
            change = {}
        self._last = picture
        return change

    def looked(self, began: float, cost_s: float) -> None:
        """A look began then, and took so much processor time."""
        pause = max(PERIOD_S, cost_s / MOST_OF_A_CORE)
        self.next = self._earliest = max(began + pause, time.monotonic() + pause / 2)
        self._rest = began + REST_S


def _roots(pids: list[int]) -> list[int]:
    """Those of which no parent is among them: a look finds the others by itself, with their names."""
    family = set(pids)
    stats = [stat for stat in map(state, pids) if stat is not None]
    return sorted(stat.pid for stat in stats if stat.ppid not in family)
