"""Where a program's output is shown: under its own cell, whichever cell runs meanwhile.

Some facts about Jupyter:

- A front end puts a `stream` message under the cell whose request is its parent. JupyterLab and
  Notebook keep listening for a cell's messages after it has ended; nbclient and nbval do not.
- JupyterLab, Notebook and VS Code send the cell's id in the request's metadata, or allow `input()`;
  nbclient and nbval do neither.
- ipykernel sends everything through one thread; what is handed to that thread keeps its order.

What follows for us: a screen remembers its cell's request and sends with it, from any thread. Where
nobody listens later (`live` is False), whoever writes must hold output back until a cell asks for it.
"""

from __future__ import annotations

import sys
import threading
from typing import Any


class Screen:
    """The output area of the cell that runs now. May be written to from any thread, at any time."""

    def __init__(self, shell: Any) -> None:
        self._streams: dict[str, Any] = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._lock = threading.Lock()
        self._in_kernel = hasattr(sys.stdout, "pub_thread") and hasattr(shell, "kernel")
        self.request: Any = None
        if self._in_kernel:
            self.request = shell.get_parent()
            sys.stdout.flush()
            sys.stderr.flush()

    @property
    def live(self) -> bool:
        """True where a person sits at a front end that shows what comes late."""
        return self.request is None or bool(self.cell_id or self.may_ask)

    @property
    def cell_id(self) -> str | None:
        """The cell's id, where the front end gives one."""
        return self.request["metadata"].get("cellId") if self.request else None

    @property
    def may_ask(self) -> bool:
        """True when the front end shows a box to type into."""
        return bool(self.request and self.request["content"].get("allow_stdin"))

    def write(self, text: str, stream: str = "stdout") -> None:
        """Show text."""
        target = self._streams[stream]
        if self._in_kernel and hasattr(target, "pub_thread"):
            self._send(target, {"name": stream, "text": text})
            return
        with self._lock:
            target.write(text)
            target.flush()

    def _send(self, target: Any, content: dict[str, str]) -> None:
        thread, session, topic, parent = target.pub_thread, target.session, target.topic, self.request

        def send() -> None:
            session.send(thread, "stream", content, parent=parent, ident=topic)

        if thread is not None:
            thread.schedule(send)
