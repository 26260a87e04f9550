"""`%%program --step` and `--slow`: a program under the hand of whoever sits before the notebook.

The program is led by a camera in a process of its own (`labkit/studio.py`), which stands still before
each call. Orders go to that process's input, a line each; what happens comes back as lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

import ipywidgets

from labkit import changes, names, studio, supervisor
from labkit.camera.stepping import WORDS
from labkit.errors import LabError
from labkit.programs import Command
from labkit.view import View, somebody_is_there

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SHOWN = 12
"""Lines of the story that stay in view."""


class Stage(ipywidgets.VBox):  # type: ignore[misc]
    """Programs that stand still until told who goes. `frames` is what has happened so far."""

    def __init__(self, commands: Sequence[Command], slow: float = 0.0, **options: Any) -> None:
        self.frames: list[dict[str, Any]] = []
        self.could_go: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.output = ""
        self.ended = False
        self.sorry: str | None = None
        self._changed = threading.Condition()
        self._standing = 0
        self._rest = ""
        self._lines: list[str] = []
        self._view = View(status="live")
        self._buttons = ipywidgets.VBox()
        self._story = ipywidgets.HTML()
        super().__init__([self._buttons, self._story, self._view])
        self._draw_buttons()
        self._folder = tempfile.mkdtemp(dir=names.folder(), prefix="stage-")
        self._program = self._start(studio.job("step", commands, seconds=3600.0, slow=slow, **options))

    # --- orders --------------------------------------------------------------------------------------

    def step(self, who: str | None = None) -> Stage:
        """One call, of `who` or of whoever went before."""
        return self._order("step", who)

    def until_it_waits(self, who: str | None = None) -> Stage:
        """On and on, until it waits or ends."""
        return self._order("block", who)

    def run(self) -> Stage:
        """All of it, to the end."""
        return self._order("run", None)

    def quit(self) -> None:
        """End the programs, and remove what they made."""
        self._program.interrupt()
        self._program.wait_gone(timeout=3)
        self._program.kill()
        self._program.wait_gone()

    def wait(self, timeout: float | None = None) -> Stage:
        """Until everything stands still again, or has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._standing > 0, timeout)
        return self

    def wait_ended(self, timeout: float | None = None) -> Stage:
        """Until all programs have ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended, timeout)
        return self

    def _order(self, do: str, who: str | None) -> Stage:
        assert do in WORDS
        self.wait()
        if self.ended:
            raise LabError("The programs have ended: run the cell again.")
        if who is not None and who not in self.could_go:
            raise LabError(f"{who} cannot go now; {' or '.join(self.could_go)} could.")
        with self._changed:
            self._standing = 0
        self._program.type(f"{do} {who or ''}".strip() + "\n")
        return self if do == "run" else self.wait()

    # --- what happens --------------------------------------------------------------------------------

    def _start(self, job: str) -> Any:
        order, result = os.path.join(self._folder, "job"), os.path.join(self._folder, "result")
        with open(order, "w", encoding="utf-8") as file:
            file.write(job)
        paths = os.pathsep.join(filter(None, [_PACKAGE, os.environ.get("PYTHONPATH")]))
        argv = (sys.executable, "-m", "labkit.studio", order, result)
        command = Command(argv, name="stage", cwd="/", env={**os.environ, "PYTHONPATH": paths})
        return supervisor.connect().start(
            command, on_output=self._heard, on_event=self._noticed, stdin=None, terminal=True, records=True
        )

    def _heard(self, _program: Any, stream: int, data: bytes) -> None:
        self._rest += data.decode("utf-8", "replace")
        *lines, self._rest = self._rest.split("\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                self._take(json.loads(line))
        if lines:
            self._tell()

    def _take(self, message: dict[str, Any]) -> None:
        if "frame" in message:
            self.frames.append(message["frame"])
            self._lines.append(message["frame"]["text"])
        if "written" in message:
            self.output += message["written"]["text"]
            self._lines += [f"    | {line}" for line in message["written"]["text"].splitlines()]
        self.sorry = message.get("sorry", self.sorry)
        if "scene" in message:
            self._view.show(changes.without_clocks(message["scene"]))
        if "standing" in message:
            self.could_go = message["standing"]["could_go"]
            self.waiting = message["standing"]["waiting"]
            self._draw_buttons()
            with self._changed:
                self._standing += 1
                self._changed.notify_all()

    def _noticed(self, program: Any, event: dict[str, Any]) -> None:
        if event["event"] in ("done", "gone") and not self.ended:
            self._over()

    def _over(self) -> None:
        self.could_go = {}
        self._draw_buttons(over=True)
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(self._folder, "result"), encoding="utf-8") as file:
                film = json.load(file)
            self._lines += (
                [film["error"]] if "error" in film else [limit["because"] for limit in film["limits"]]
            )
            self._tell()
            if film.get("frames"):
                self._view.show(changes.without_clocks(film["scenes"][film["frames"][-1]["scene"]]))
        self._view.status = "ended"
        for name in ("job", "result"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, name))
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(self._folder)
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    # --- what is shown -------------------------------------------------------------------------------

    def _draw_buttons(self, over: bool = False) -> None:
        rows = [self._row(who, text) for who, text in self.could_go.items()]
        if not over:
            run = [self._button("Run all", "run")] if rows else []
            rows.append(ipywidgets.HBox([*run, self._button("End", "quit")]))
        old, self._buttons.children = self._buttons.children, rows
        for row in old:
            for widget in (*row.children, row):
                widget.close()

    def _row(self, who: str, text: str) -> ipywidgets.HBox:
        wide = ipywidgets.Layout(width="auto")
        step = ipywidgets.Button(description=f"{who}: {text}"[:80], tooltip="one call", layout=wide)
        step.on_click(lambda _: self._press("step", who))
        return ipywidgets.HBox([step, self._button("until it waits", "block", who)])

    def _button(self, words: str, do: str, who: str | None = None) -> ipywidgets.Button:
        button = ipywidgets.Button(description=words)
        button.on_click(lambda _: self._press(do, who))
        return button

    def _press(self, do: str, who: str | None) -> None:
        """A button was pressed: pass it on, and do not wait (this is the notebook's own thread)."""
        with self._changed:
            if do == "quit" and not self._standing:
                self._program.interrupt()  # it is on its way, and reads no orders
            if self.ended or not self._standing:
                return
            self._standing = 0
        self._program.type(f"{do} {who or ''}".strip() + "\n")

    def _tell(self) -> None:
        import html

        lines = [html.escape(line) for line in self._lines[-_SHOWN:]]
        lines += [
            f"<i>{html.escape(who)} waits in {html.escape(text)}</i>" for who, text in self.waiting.items()
        ]
        self._story.value = f"<pre>{chr(10).join(lines)}</pre>"

    def __repr__(self) -> str:
        return "\n".join(self._lines)


def begin(command: Command, *, step: bool, slow: float = 0.0, stdin: str | None = None) -> Stage:
    """A program under the learner's hand; with `slow` alone it goes by itself, slowly.

    Where nobody sits before the notebook, it goes by itself to its end.
    """
    stage = Stage([command], slow=slow, stdin=stdin)
    if not step or not somebody_is_there():
        stage.wait()
        if not stage.ended:
            stage.run()
        if not somebody_is_there():
            stage.wait_ended()
    return stage
