"""A learner's notebook, checked through nbval against the course's own.

Only the text of the answer cells is taken from it. It is put into the course's pristine notebook, whose
expected reports are what nbval compares with; so nothing else a notebook may hold (outputs, metadata,
other cells) counts.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import notebooks
from labkit.errors import LabError
from labkit.exercises import Course


@dataclass(frozen=True, slots=True)
class Checked:
    """One exercise of a notebook."""

    exercise: str
    passed: bool
    said: str
    """The report, or why there is none."""


def check(course: Course, path: Path) -> list[Checked]:
    """Every exercise of the course's notebook that `path` is a copy of, checked."""
    submitted = notebooks.read(path)
    name = pristine_name(course, path, submitted)
    pristine = notebooks.read(course.folder / "exercises" / name)
    answers = notebooks.answers(submitted)
    filled = put(pristine, answers)
    outcomes = _run(course, name, filled)
    return [_checked(answer, name in answers, outcomes) for name, answer in notebooks.answers(filled).items()]


def pristine_name(course: Course, path: Path, submitted: dict[str, Any]) -> str:
    """The course's notebook that this is a copy of: by its name, or by the exercises it answers."""
    folder = course.folder / "exercises"
    if (folder / path.name).exists():
        return path.name
    theirs = set(notebooks.answers(submitted))
    for candidate in sorted(folder.glob("*.ipynb")):
        if theirs & set(notebooks.answers(notebooks.read(candidate))):
            return candidate.name
    raise LabError(f"{path} is no exercise notebook of this course, and answers none of its exercises.")


def put(pristine: dict[str, Any], answers: dict[str, notebooks.AnswerCell]) -> dict[str, Any]:
    """The pristine notebook with these answers in it."""
    filled = copy.deepcopy(pristine)
    for name, answer in notebooks.answers(filled).items():
        given = answers.get(name)
        first = notebooks.source(answer.cell).partition("\n")[0]
        answer.cell["source"] = first + (given.text if given else "\n")
        answer.cell["outputs"], answer.cell["execution_count"] = [], None
    return filled


def _checked(answer: notebooks.AnswerCell, there: bool, outcomes: dict[str, Any]) -> Checked:
    outcome = outcomes.get(notebooks.source(answer.cell))
    if not there:
        return Checked(answer.exercise, False, "There is no cell that begins with this %%exercise.\n")
    if outcome is None:
        return Checked(answer.exercise, False, "Its cell did not run.\n")
    return Checked(answer.exercise, outcome["passed"], outcome["printed"])


def _run(course: Course, name: str, notebook: dict[str, Any]) -> dict[str, Any]:
    """nbval's verdict on every cell, by the cell's text."""
    with tempfile.TemporaryDirectory(prefix="labkit-check-") as folder:
        notebooks.write(Path(folder) / name, notebook)
        outcomes = Path(folder) / "outcomes"
        environment = os.environ | {"LABKIT_COURSE": str(course.folder), "LABKIT_OUTCOMES": str(outcomes)}
        environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "labkit.nbval_plugin", "-p", "no:cacheprovider"]
        argv += ["--rootdir", folder, "--nbval", "--nbval-cell-timeout", "600", name]
        ran = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True)
        if ran.returncode not in (0, 1) or not outcomes.exists():
            raise LabError(f"nbval could not run {name}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        lines = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()]
        return {line["source"]: line for line in lines}
