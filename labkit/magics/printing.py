"""What a program writes -> text on a screen: error told apart, tracebacks as errors, the end in words.

Output and error are two terminals, so the order between them is known only as well as the kernel
delivers it. Where output is compared with stored output (a headless run), error comes after output.
"""

from __future__ import annotations

import codecs
import itertools
import signal
from collections.abc import Iterator
from typing import Any

from labkit.draw.doing import doing
from labkit.magics.screen import Screen
from labkit.process import Program
from labkit.scene import Scene

APART, PLAIN = "\x1b[35m", "\x1b[0m"
"""Standard error is told apart by colour; red is for tracebacks."""

_TRACEBACK = (
    "Traceback (most recent call last)", "  + Exception Group Traceback (most recent call last)", '  File "',
    "Exception ignored in", "Exception in thread",
)  # fmt: skip


class Printer:
    """Shows one program: at once, or, in a headless run, when somebody asks for it (`release`)."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._held = not screen.live
        self._kept: dict[int, list[str]] = {1: [], 2: [], 3: []}
        self._decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in (1, 2)}
        self._tracebacks = Tracebacks()
        self._at_line_start = True

    def write(self, stream: int, data: bytes) -> None:
        """Take what came on stream 1 (output) or 2 (error)."""
        self._take(stream, self._decoders[stream].decode(data).replace("\r\n", "\n"))

    def say(self, sentence: str) -> None:
        """Take a line of our own."""
        self._take(3, sentence)

    def release(self, screen: Screen) -> None:
        """Show on this screen what was kept: output, error, then what we have to say."""
        pieces: list[tuple[str, str]] = []
        for stream, texts in self._kept.items():
            for text in texts if stream == 3 else ["".join(texts)]:
                pieces += self._pieces(stream, text)
            texts.clear()
        for name, run in itertools.groupby(pieces, key=lambda piece: piece[0]):
            screen.write("".join(text for _, text in run), name)

    def _take(self, stream: int, text: str) -> None:
        if self._held:
            self._kept[stream].append(text)
        else:
            for name, piece in self._pieces(stream, text):
                self._screen.write(piece, name)

    def _pieces(self, stream: int, text: str) -> Iterator[tuple[str, str]]:
        """The text as Jupyter's streams: (`stdout` or `stderr`, text)."""
        if not text:
            return
        if stream == 3:
            text = ("" if self._at_line_start else "\n") + text + "\n"
        self._at_line_start = text.endswith("\n")
        if stream != 2:
            yield "stdout", text
            return
        for is_traceback, piece in self._tracebacks.split(text):
            yield ("stderr", piece) if is_traceback else ("stdout", _apart(piece))


class Tracebacks:
    """Finds tracebacks in what comes on standard error."""

    def __init__(self) -> None:
        self._inside = False
        self._line = ""

    def split(self, text: str) -> list[tuple[bool, str]]:
        """The text as runs of lines: (is it a traceback, lines)."""
        runs: list[tuple[bool, str]] = []
        for piece in text.splitlines(keepends=True):
            asked = piece.startswith(_TRACEBACK)  # what stood before it was a question, now answered
            self._line = piece if asked else self._line + piece
            self._inside = self._inside or self._line.startswith(_TRACEBACK)
            if runs and runs[-1][0] == self._inside:
                runs[-1] = (self._inside, runs[-1][1] + piece)
            else:
                runs.append((self._inside, piece))
            if piece.endswith("\n"):
                self._inside = self._inside and (
                    self._line.startswith((" ", *_TRACEBACK)) or not self._line.strip()
                )
                self._line = ""
        return runs


def _apart(text: str) -> str:
    body = text.rstrip("\n")
    return f"{APART}{body}{PLAIN}{text[len(body) :]}" if body else text


# --- in words ---------------------------------------------------------------------------------------


def note(program: Program, printer: Printer, event: dict[str, Any]) -> None:
    """Say what happened to a program, where it is worth a line."""
    what = event["event"]
    if what == "timeout":
        printer.say("\n".join(standing(program, event["seconds"])))
    elif what == "cut":
        printer.say(
            f"[… {event['bytes']:,} bytes are left out here. All {event['total']:,} are in {event['path']}, "
            "until the notebook is closed.]"
        )
    elif what == "exit" and ended(program):
        printer.say(f"{program.name} {ended(program)}")
    elif what == "done" and event["left"]:
        printer.say(_left(program, event["left"]))


def _left(program: Program, count: int) -> str:
    some = "One of its processes goes" if count == 1 else f"{count} of its processes go"
    return f"{some} on in the background; labkit.stop({program.name!r}) ends that."


def standing(program: Program, seconds: float) -> list[str]:
    """How things stood when a program's time was up: who waits for what, and whether it can ever end."""
    lines = [f"{program.name} had not ended after {seconds:g} s:"]
    scene = program.scene or Scene()
    lines += [f"  {process.name}: {doing(process, scene, times=False)}" for process in scene.processes[:12]]
    if len(scene.processes) > 12:
        lines.append(f"  … and {len(scene.processes) - 12} more processes")
    return lines + [deadlock.because for deadlock in scene.deadlocks]


_REASONS = {
    "owner": "was ended, because the supervisor died",
    "memory": "was ended, because it used more than {limit} of memory",
    "processes": "was ended, because it had more than {limit} processes",
    "output": "was ended, because it wrote more than {limit}",
}


def ended(program: Program) -> str:
    """How it ended, in words; empty when it ended well or has not ended."""
    if program.why in _REASONS:
        return _REASONS[program.why].format(limit=program.limit)
    status = program.status
    if not status:
        return ""
    if status > 0:
        return f"ended with exit status {status}"
    return f"was ended by {_signal_name(-status)} ({-status})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
