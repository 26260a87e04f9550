"""A folder of submissions -> the answers in it, and a sentence for whatever is not right.

`FOLDER/<learner>/…/<notebook>.ipynb`; nbgrader's `submitted/<learner>/<assignment>/<notebook>.ipynb` is one
such. Links are not followed: a link may lead into another learner's folder.
"""

from __future__ import annotations

import datetime
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit import notebooks
from labkit.errors import LabError
from labkit.exercises import Course
from labkit.reports import printable

MOST_NOTEBOOKS = 200
MOST_FOLDERS, DEEPEST = 1000, 20
"""Of one submission: further folders are not looked into."""
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


def collect(
    folder: Path, known: set[str], due: datetime.datetime | None = None, out: Path | None = None
) -> list[Submission]:
    """Every learner's submission, in the order of their names; `out`, if it lies there too, is nobody's."""
    if not folder.is_dir():
        raise LabError(f"{folder} is no folder: give one that has a folder for each learner.")
    learners = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    learners = [name for name in learners if not name.startswith(".") and not _same(folder / name, out)]
    if not learners:
        raise LabError(f"{folder} has no folders in it: there should be one for each learner.")
    return [_submission(folder / name, known, due) for name in learners]


def _same(folder: Path, out: Path | None) -> bool:
    return out is not None and out.is_dir() and folder.samefile(out)


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
    paths = list(itertools.islice(_notebooks(folder, made.problems), MOST_NOTEBOOKS + 1))
    if not paths and not made.problems:
        made.problems.append("There is no notebook in this folder.")
    if len(paths) > MOST_NOTEBOOKS:
        made.problems.append(f"There are more than {MOST_NOTEBOOKS} notebooks: only so many were read.")
    for path in paths[:MOST_NOTEBOOKS]:
        _read(path, folder, known, made)
    if due is not None and paths:
        made.late = _lateness(paths, due)
    return made


def _notebooks(folder: Path, problems: list[str]) -> Iterator[Path]:
    """The notebooks in a folder, its own first, then those of the folders in it."""
    places = [(folder, 0)]
    for count in range(MOST_FOLDERS):
        if count == len(places):
            return
        place, depth = places[count]
        try:
            files, folders = _contents(place)
        except OSError as error:
            problems.append(f"The folder {printable(place.name, 100)} cannot be read: {error.strerror}.")
            continue
        yield from (place / name for name in files if name.endswith(".ipynb"))
        if depth < DEEPEST:
            places += [(place / name, depth + 1) for name in folders]


def _contents(place: Path) -> tuple[list[str], list[str]]:
    """The names of the regular files and of the folders in a folder."""
    entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    entries = [entry for entry in entries if not entry.name.startswith(".")]
    files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return files, [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def _read(path: Path, folder: Path, known: set[str], made: Submission) -> None:
    shown = printable(str(path.relative_to(folder)), 100)
    try:
        notebook = notebooks.read(path)
    except LabError as error:
        made.problems.append(printable(str(error).replace(str(path), shown), 300))
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
    try:
        words = _first_words(path.parent / "timestamp.txt").strip().removesuffix(" UTC")
        moment = datetime.datetime.fromisoformat(words)
        return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
    except (OSError, ValueError, OverflowError):
        return path.lstat().st_mtime


def _first_words(path: Path) -> str:
    """The beginning of a text file. O_NONBLOCK: a FIFO would keep us waiting."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return file.read(100).decode("utf-8") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
