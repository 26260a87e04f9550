"""Where a program's output is shown: under its own cell, whichever cell runs meanwhile."""

from __future__ import annotations

import codecs
import sys
import threading
from typing import Any

APART = "\x1b[35m"
"""Standard error is told apart by colour; red is for tracebacks."""
PLAIN = "\x1b[0m"


class Screen:
    """The output area of one cell. May be written to from any thread, at any time."""

    def __init__(self, shell: Any) -> None:
        self._stdout = sys.stdout
        self._stderr = sys.stderr
        self._parent: Any = None
        self._in_kernel = hasattr(sys.stdout, "pub_thread") and hasattr(shell, "kernel")
        if self._in_kernel:
            self._parent = shell.get_parent()
            sys.stdout.flush()
            sys.stderr.flush()
        self.live = _is_live(shell, self._parent)
        self._lock = threading.Lock()

    def write(self, text: str, stream: str = "stdout") -> None:
        """Show text."""
        target = self._stdout if stream == "stdout" else self._stderr
        if not self._in_kernel:
            with self._lock:
                target.write(text)
                target.flush()
            return
        session, thread, topic = target.session, target.pub_thread, target.topic  # type: ignore[union-attr]
        content, parent = {"name": stream, "text": text}, self._parent
        thread.schedule(
            lambda: session.send(thread, "stream", content, parent=parent, ident=topic)
        )


def _is_live(shell: Any, parent: Any) -> bool:
    """Whether a person sits at a front end that shows what comes late. nbclient and nbval do not."""
    if parent is None:
        return True
    return bool(
        parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("allow_stdin")
    )


class Printer:
    """Bytes of one program -> text on a screen: error told apart, tracebacks as errors."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in (1, 2)}
        self._in_traceback = False
        self._line_begins = True
        self._error_line = ""

    def write(self, stream: int, data: bytes) -> None:
        """Show what came on stream 1 (output) or 2 (error)."""
        text = self._decoders[stream].decode(data).replace("\r\n", "\n")
        if not text:
            return
        self._line_begins = text.endswith("\n")
        if stream == 1:
            self.screen.write(text)
        else:
            for plain, piece in self._pieces(text):
                if plain:
                    self.screen.write(_apart(piece))
                else:
                    self.screen.write(piece, "stderr")

    def say(self, sentence: str) -> None:
        """Show a line of our own."""
        self.screen.write(("" if self._line_begins else "\n") + sentence + "\n")
        self._line_begins = True

    def _pieces(self, text: str) -> list[tuple[bool, str]]:
        """Runs of lines: (not a traceback, text)."""
        runs: list[tuple[bool, str]] = []
        for line in text.splitlines(keepends=True):
            whole = self._error_line + line
            if whole.startswith(("Traceback (most recent call last)", '  File "')):
                self._in_traceback = True
            plain = not self._in_traceback
            if runs and runs[-1][0] == plain:
                runs[-1] = (plain, runs[-1][1] + line)
            else:
                runs.append((plain, line))
            if line.endswith("\n"):
                self._in_traceback = self._in_traceback and whole[:1] in (" ", "T", "\n")
                self._error_line = ""
            else:
                self._error_line = whole
        return runs


def _apart(text: str) -> str:
    body = text.rstrip("\n")
    return f"{APART}{body}{PLAIN}{text[len(body):]}" if body else text
