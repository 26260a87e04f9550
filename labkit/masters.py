"""What a course's notebooks say of an exercise: its first version, and its solution."""

from __future__ import annotations

from pathlib import Path

from labkit import notebooks
from labkit.building import BEGIN, END, STUB, fingerprint
from labkit.errors import LabError
from labkit.exercises import Course


def stub(course: Course, name: str) -> str:
    """The whole text of the exercise's cell, as it was before anybody answered."""
    from labkit.building import stub as without_solution

    found = _find(course.folder / "solutions", name)
    if found is not None:
        return without_solution(notebooks.source(found.cell))
    raise LabError(f"The first version of {name} is not here: there is no master of it in solutions/.")


def stub_mark(course: Course, name: str) -> str | None:
    """The fingerprint of an unanswered cell's text below its first line; None where there is no master."""
    try:
        return fingerprint(stub(course, name).partition("\n")[2])
    except LabError:
        return None


def solution(course: Course, name: str) -> str:
    """The master's answer, without its marks and its stub."""
    found = _find(course.folder / "solutions", name)
    if found is None:
        raise LabError(f"There is no solution of {name} here.")
    lines, in_stub = [], False
    for line in found.text.lstrip("\n").splitlines():
        in_stub = (in_stub or STUB in line) and END not in line
        if not in_stub and BEGIN not in line and END not in line:
            lines.append(line)
    return "\n".join(lines)


def topics(course: Course) -> dict[str, str | None]:
    """The topics, each with the name of the notebook that has its exercises, in the order of the notebooks.

    Those that have none come last.
    """
    found: dict[str, str] = {}
    for path in sorted((course.folder / "exercises").glob("*.ipynb")):
        for name in notebooks.answers(notebooks.read(path)):
            found.setdefault(name.partition("/")[0], path.name)
    there = course.topics()
    return {topic: name for topic, name in found.items() if topic in there} | {
        topic: None for topic in there if topic not in found
    }


def _find(folder: Path, name: str) -> notebooks.AnswerCell | None:
    for path in sorted(folder.glob("*.ipynb")):
        found = notebooks.answers(notebooks.read(path)).get(name)
        if found is not None:
            return found
    return None
