"""A Film: what programs did, one system call a frame, each with the full Scene after it.

Pure data: `labkit/camera/` makes films, the views play them. A film is saved as JSON, or as a page
that needs nothing but a browser.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.scene import Limit, Scene

VERSION = 1
SAVED_AS = (".json", ".json.gz", ".html", ".svg")


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing that happened: a call, a wait, a signal, an end."""

    n: int
    who: str
    pid: int
    call: str | None
    """The kernel's name of the call; None for a signal or an end."""
    text: str
    result: int | None
    """What the call returned (an error is minus its number); None when it has not returned."""
    blocked: bool
    """True: the process began to wait in this call."""
    scene: int
    """Index into `Film.scenes`."""


@dataclass(frozen=True, slots=True)
class Written:
    """Something a program wrote to its own output or error."""

    who: str
    stream: str
    text: str
    frame: int
    """How many frames had been made by then."""


@dataclass(frozen=True, slots=True)
class Exit:
    who: str
    pid: int
    exit: int | None
    """Exit status, or minus the number of the signal that ended it; None: it was still alive."""


@dataclass(frozen=True, slots=True)
class ProgramLine:
    name: str
    command: str


@dataclass(frozen=True, slots=True)
class Film:
    """What some programs did, to be stepped through forwards and backwards."""

    programs: tuple[ProgramLine, ...] = ()
    frames: tuple[Frame, ...] = ()
    scenes: tuple[Scene, ...] = ()
    output: tuple[Written, ...] = ()
    exits: tuple[Exit, ...] = ()
    left_behind: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    version: int = VERSION

    def scene(self, n: int) -> Scene:
        """The scene of frame `n`."""
        return self.scenes[self.frames[n].scene]

    def text(self) -> str:
        """The film as lines, one a frame."""
        return "\n".join(frame.text for frame in self.frames)

    def moments(self) -> Iterator[Frame | tuple[str, str]]:
        """The frames, and (who, line) for what the programs wrote to their own output, where they did."""
        spoken = iter([*self.output, None])
        said = next(spoken)
        for n, frame in enumerate([*self.frames, None]):
            while said is not None and (said.frame <= n or frame is None):
                yield from ((said.who, line) for line in said.text.splitlines())
                said = next(spoken)
            if frame is not None:
                yield frame

    def told(self) -> str:
        """The film as lines, with what the programs wrote to their own output, and how it came to an end."""
        lines = [
            moment.text if isinstance(moment, Frame) else "{} says: {}".format(*moment)
            for moment in self.moments()
        ]
        for words, _ in self.endings():
            lines += textwrap.wrap(words, 80, subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join(lines)

    def endings(self) -> Iterator[tuple[str, bool]]:
        """What is to be said of its end, each with whether it is a warning; nothing where all went well."""
        for limit in self.limits:
            if limit.what == "deadlock":
                yield f"DEADLOCK: {limit.because}", True
            elif limit.what != "the order":
                yield limit.because, False
        for left in self.left_behind:
            yield f"Left behind: {left}", True

    def to_dict(self) -> dict[str, Any]:
        """The film as plain dictionaries and lists."""
        plain: dict[str, Any] = {
            key: [dataclasses.asdict(row) for row in getattr(self, key)] for key in _ROWS
        }
        plain["left_behind"] = list(self.left_behind)
        return {"version": self.version, **plain, "scenes": [scene.to_dict() for scene in self.scenes]}

    @classmethod
    def from_dict(cls, data: Any) -> Film:
        """The inverse of `to_dict`. Keys it does not know are passed over."""
        if not isinstance(data, dict) or "frames" not in data:
            raise LabError("This is not a film: it has no `frames`.")
        if data.get("version") != VERSION:
            raise LabError(
                f"This film has version {data.get('version')!r}; this labkit reads version {VERSION}."
            )
        try:
            rows: dict[str, Any] = {
                key: tuple(_known(k, row) for row in data[key]) for key, k in _ROWS.items()
            }
            scenes = tuple(Scene.from_dict(scene) for scene in data["scenes"])
            return cls(scenes=scenes, left_behind=tuple(data["left_behind"]), **rows)
        except (KeyError, TypeError) as error:
            raise LabError(f"This is not a film: {error} is missing or not what it should be.") from None

    def save(self, path: str) -> None:
        """Write the film to `path`: `.json`, compressed `.json.gz`, a page that plays it, or a picture."""
        if path.endswith(".html"):
            from labkit.pages import film_page

            data = film_page(self.to_dict()).encode()
        elif path.endswith(".svg"):
            from labkit.draw import film as picture

            data = (picture(self) + "\n").encode()
        elif path.endswith(".json.gz"):
            data = gzip.compress(json.dumps(self.to_dict()).encode(), mtime=0)
        elif path.endswith(".json"):
            data = json.dumps(self.to_dict()).encode()
        else:
            raise LabError(f"A film is saved as {', '.join(SAVED_AS)}, and {path} is none of these.")
        try:
            with open(path, "wb") as file:
                file.write(data)
        except OSError as error:
            raise LabError(f"The film could not be written to {path}: {error.strerror}.") from None

    @classmethod
    def load(cls, path: str) -> Film:
        """Read a film written by `save`."""
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise LabError(f"{path} cannot be read: {error.strerror}.") from None
        try:
            return cls.from_dict(json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data))
        except (ValueError, EOFError, gzip.BadGzipFile):
            raise LabError(f"{path} is not a film.") from None


_ROWS: dict[str, type] = {
    "programs": ProgramLine,
    "frames": Frame,
    "output": Written,
    "exits": Exit,
    "limits": Limit,
}


def _known(kind: type, row: dict[str, Any]) -> Any:
    return kind(**{f.name: row[f.name] for f in dataclasses.fields(kind)})
