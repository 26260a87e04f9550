"""What a learner has tried, opened and solved: one small file in their data folder.

Several notebooks may write to it at the same time: whoever changes it holds a lock, and the new file
takes the old one's place in one step, so that no reader ever sees half of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import html
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from labkit import masters
from labkit.building import fingerprint
from labkit.errors import LabError
from labkit.exercises import Course
from labkit.reports import Report

HONEST_TRIES = 3
"""So many different answers, none of them the stub, open the solution."""
MOST_TEXT = 100_000


@dataclass(slots=True)
class Progress:
    """One learner's way with one exercise."""

    points: int = 0
    """The best so far."""
    out_of: int = 0
    solved: bool = False
    hints: int = 0
    tries: list[str] = field(default_factory=list)
    """Fingerprints of the different answers given, the stub not among them."""
    last: str = ""
    """The text of the last answer."""

    @property
    def may_see_solution(self) -> bool:
        return self.solved or len(self.tries) >= HONEST_TRIES


def folder() -> Path:
    """Where the file is: `LABKIT_DATA`, or `labkit` in the user's data folder."""
    told = os.environ.get("LABKIT_DATA")
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(told) if told else Path(home) / "labkit"


def read() -> dict[str, Progress]:
    """Everything so far, by the name of the exercise."""
    try:
        kept = json.loads((folder() / "progress.json").read_text(encoding="utf-8"))
        return {name: Progress(**values) for name, values in kept["exercises"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LabError(f"{folder() / 'progress.json'} is damaged: remove it to begin anew.") from None


@contextlib.contextmanager
def changing(name: str) -> Iterator[Progress]:
    """The progress in one exercise, to be changed; kept when the block ends."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LabError(f"Your progress cannot be kept in {place}: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        everything = read()
        yield everything.setdefault(name, Progress())
        _write(place, everything)
    finally:
        os.close(lock)


def _write(place: Path, everything: dict[str, Progress]) -> None:
    kept = {"version": 1, "exercises": {name: asdict(value) for name, value in everything.items()}}
    new = place / "progress.json.new"
    new.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(new, place / "progress.json")


def judged(report: Report, text: str, stub: str | None) -> None:
    """Keep what came of a try."""
    mark = fingerprint(text)
    with changing(report.exercise) as kept:
        kept.points, kept.out_of = max(kept.points, report.points), report.out_of
        kept.solved = kept.solved or report.solved
        kept.last = text[:MOST_TEXT]
        if mark not in (stub, *kept.tries):
            kept.tries = [*kept.tries[-50:], mark]


def table(course: Course) -> str:
    """Every exercise of the course and what became of it, as text."""
    so_far = read()
    lines = []
    for topic in masters.topics(course):
        names = list(course.names(topic))
        solved = sum(so_far.get(name, Progress()).solved for name in names)
        lines.append(f"{topic}: {solved} of {len(names)} solved")
        lines += [f"  {_line(name, so_far.get(name))}" for name in names]
    return "\n".join(lines)


def page(course: Course, here: Path) -> str:
    """The same as a table in HTML, with links from a notebook in the folder `here`."""
    so_far = read()
    topics = masters.topics(course).items()
    rows = "".join(_row(course, topic, notebook, so_far, here) for topic, notebook in topics)
    heads = "".join(
        f'<th scope="col" style="text-align: left">{head}</th>'
        for head in ("topic", "exercises", "solved", "points")
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(course: Course, topic: str, notebook: str | None, so_far: dict[str, Progress], here: Path) -> str:
    names = list(course.names(topic))
    kept = [so_far.get(name, Progress()) for name in names]
    marks = " ".join(_mark(name, one) for name, one in zip(names, kept, strict=True))
    most = [course.exercise(name).out_of for name in names]
    points = sum(map(min, (one.points for one in kept), most))
    cells = [
        _linked(topic.replace("_", " "), course.folder / "notebooks" / (notebook or ""), here),
        _linked(marks, course.folder / "exercises" / (notebook or ""), here),
        f"{sum(one.solved for one in kept)} of {len(names)}",
        f"{points} of {sum(most)}",
    ]
    return "<tr>" + "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells) + "</tr>"


def _mark(name: str, kept: Progress) -> str:
    sign, state = ("●", "solved") if kept.solved else ("◐", "begun") if kept.out_of else ("○", "not tried")
    words = html.escape(f"{name}: {state}")
    return f'<span role="img" aria-label="{words}" title="{words}">{sign}</span>'


def _linked(text: str, path: Path, here: Path) -> str:
    """The text, as a link if there is such a notebook."""
    if not path.is_file():
        return text
    return f'<a href="{html.escape(quote(os.path.relpath(path, here)))}">{text}</a>'


def _line(name: str, kept: Progress | None) -> str:
    if kept is None or not kept.out_of:
        return f"· {name}"
    mark = "✓" if kept.solved else "…"
    hints = f", {kept.hints} hint{'s' * (kept.hints != 1)} opened" if kept.hints else ""
    return f"{mark} {name}: {kept.points} of {kept.out_of} points{hints}"
