"""`labkit grade FOLDER -o OUT`: a class's notebooks -> a gradebook."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.exercises import Course
from labkit.grading import collecting, gradebook, marking
from labkit.grading.journal import Journal
from labkit.grading.marks import Mark


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submissions", type=Path, help="a folder with a folder for each learner")
    parser.add_argument("-o", "--out", type=Path, required=True, help="where the gradebook goes")
    many = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=many, metavar="N", help=f"so many at a time ({many})")
    parser.add_argument("--checks", type=Path, metavar="FOLDER", help="your own checks, before the course's")
    parser.add_argument("--due", metavar="TIME", help="when the work was due, as 2026-11-20T18:00")
    parser.add_argument("--no-sandbox", action="store_true", help="run strangers' code as yourself")


def run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    course = _course(options.checks)
    known = set(course.names())
    due = _moment(options.due)
    if options.jobs < 1:
        raise LabError("--jobs is how many to judge at a time: 1 or more.")
    submissions = collecting.collect(options.submissions, known, due, options.out)
    exercises = collecting.assigned(course, submissions)
    if not exercises:
        raise LabError(f"No notebook in {options.submissions} answers an exercise of this course.")
    if not options.no_sandbox:
        marking.require_sandbox()
    _out_folder(options.out)
    try:
        with Journal(options.out / "journal.jsonl") as journal:
            tasks, unjudged = marking.plan(course, submissions, exercises, journal)
            with _progress(len(tasks)) as advance:
                keep = _keeping(journal, advance)
                private = (options.submissions, options.out)
                marking.mark_all(course, tasks, options.jobs, options.no_sandbox, keep, private)
            marks = _in_order(journal, unjudged, submissions, exercises)
        gradebook.write(options.out, marks)
    except OSError as error:
        raise LabError(
            f"{error.filename or options.out}: {error.strerror}. What was judged is kept."
        ) from None
    print(gradebook.summary(marks), end="")
    done = f"{len(submissions)} learners, {len(tasks)} answers judged in {time.monotonic() - started:.1f} s"
    print(f"{done}: {options.out}/gradebook.csv")
    return 1 if any(mark.status == "error" for mark in marks) else 0


def _course(checks: Path | None) -> Course:
    course = Course.find()
    if checks is None:
        return course
    if not checks.is_dir():
        raise LabError(f"{checks} is no folder of checks.")
    return Course(course.folder, (checks.resolve(),))


def _moment(text: str | None) -> datetime.datetime | None:
    if text is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise LabError(f"--due {text!r} is no time: write it as 2026-11-20T18:00.") from None


def _out_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        os.chmod(out, 0o700)
    except OSError as error:
        raise LabError(f"{out} cannot be used for the gradebook: {error.strerror}.") from None


def _keeping(journal: Journal, advance: Callable[[], None]) -> Callable[[Mark], None]:
    def keep(mark: Mark) -> None:
        journal.add(mark)
        advance()

    return keep


def _in_order(
    journal: Journal, unjudged: list[Mark], submissions: list[collecting.Submission], exercises: list[str]
) -> list[Mark]:
    """Every learner's every exercise, once."""
    without = {(mark.learner, mark.exercise): mark for mark in unjudged}
    keys = [(submission.learner, name) for submission in submissions for name in exercises]
    return [without.get(key) or journal.marks[key] for key in keys]


def _progress(total: int) -> AbstractContextManager[Callable[[], None]]:
    """A bar with the time that is left, where somebody is looking."""
    if not sys.stderr.isatty() or not total:
        return nullcontext(lambda: None)
    from rich import console, progress

    columns: list[Any] = [progress.MofNCompleteColumn(), progress.BarColumn(), progress.TimeRemainingColumn()]
    bar = progress.Progress(*columns, console=console.Console(stderr=True))
    task = bar.add_task("judging", total=total)

    class Bar(AbstractContextManager[Callable[[], None]]):
        def __enter__(self) -> Callable[[], None]:
            bar.start()
            return lambda: bar.advance(task)

        def __exit__(self, *_: object) -> None:
            bar.stop()

    return Bar()
