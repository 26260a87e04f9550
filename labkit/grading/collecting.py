"""A folder of submissions -> the answers in it, and a sentence for whatever is not right.

`FOLDER/<learner>/…/<notebook>.ipynb`; nbgrader's `submitted/<learner>/<assignment>/<notebook>.ipynb` is one
such. Links are not followed: a link may lead into another learner's folder.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit import notebooks
from labkit.errors import LabError
from labkit.exercises import Course

MOST_NOTEBOOKS = 200
MOST_TEXT = 200_000
"""Characters of one answer; a longer one is not judged."""


@dataclass(slots=True)
class Submission:
    """What one learner has handed in."""

    learner: str
    answers: dict[str, str] = field(default_factory=dict)
    """Text by exercise, line 1 (`%%exercise …`) empty."""
    notes: dict[str, str] = field(default_factory=dict)
    """By exercise: a copied cell, too long a text."""
    problems: list[str] = field(default_factory=list)
    """Of the whole submission: a notebook that is none, cells for exercises that there are not."""
    late: str = ""


def collect(folder: Path, known: set[str], due: datetime.datetime | None = None) -> list[Submission]:
    """Every learner's submission, in the order of their names."""
    if not folder.is_dir():
        raise LabError(f"{folder} is no folder: give one that has a folder for each learner.")
    learners = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    learners = [name for name in learners if not name.startswith(".")]
    if not learners:
        raise LabError(f"{folder} has no folders in it: there should be one for each learner.")
    return [_submission(folder / name, known, due) for name in learners]


def assigned(course: Course, submissions: list[Submission]) -> list[str]:
    """The exercises of every notebook that somebody has handed in answers of, in the course's order."""
    answered = {name for submission in submissions for name in submission.answers}
    found: dict[str, None] = {}
    for path in sorted((course.folder / "exercises").glob("*.ipynb")):
        names = list(notebooks.answers(notebooks.read(path)))
        if answered & set(names):
            found |= dict.fromkeys(names)
    return [*found, *sorted(answered - set(found))]


def _submission(folder: Path, known: set[str], due: datetime.datetime | None) -> Submission:
    made = Submission(folder.name)
    paths = list(_notebooks(folder))
    if not paths:
        made.problems.append("There is no notebook in this folder.")
    for path in paths[:MOST_NOTEBOOKS]:
        _read(path, folder, known, made)
    if due is not None and paths:
        made.late = _lateness(paths, due)
    return made


def _notebooks(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place) / name
            if name.endswith(".ipynb") and not name.startswith(".") and not path.is_symlink():
                yield path


def _read(path: Path, folder: Path, known: set[str], made: Submission) -> None:
    shown = str(path.relative_to(folder))
    try:
        notebook = notebooks.read(path)
    except LabError as error:
        made.problems.append(str(error).replace(str(path), shown))
        return
    for answer in notebooks.all_answers(notebook):
        name = answer.exercise
        if name not in known:
            made.problems.append(f"{shown} has a cell for {name[:60]!r}, which is no exercise here.")
        elif name in made.answers or name in made.notes:
            made.notes[name] = "There is more than one cell for this exercise: the first counts."
        elif len(answer.text) > MOST_TEXT:
            made.notes[name] = f"The cell has more than {MOST_TEXT} characters."
        else:
            made.answers[name] = answer.text


def _lateness(paths: list[Path], due: datetime.datetime) -> str:
    """How late the latest notebook is, in words; nothing when it is in time."""
    handed_in = max(_handed_in(path) for path in paths)
    over = handed_in - due.timestamp()
    if over <= 0:
        return ""
    hours = over / 3600
    return f"Handed in {hours:.1f} hours late." if hours < 48 else f"Handed in {hours / 24:.1f} days late."


def _handed_in(path: Path) -> float:
    """When a notebook was handed in: nbgrader's timestamp.txt beside it, or the file's own time."""
    stamp = path.parent / "timestamp.txt"
    try:
        words = stamp.read_text(encoding="utf-8")[:100].strip().removesuffix(" UTC")
        moment = datetime.datetime.fromisoformat(words)
        return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
    except (OSError, ValueError):
        return path.stat().st_mtime
