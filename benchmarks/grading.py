"""How fast a class is graded: labkit beside nbgrader and otter-grader, in one run.

The same three exercises (a function each), the same answers; and a whole topic of this course for a class
of 300. nbgrader and otter-grader are found on PATH or in `--graders BIN`; to have them:

    uv venv /tmp/graders && uv pip install -p /tmp/graders/bin/python nbgrader otter-grader ipykernel

otter's own way to many submissions is Docker; here each is run with `otter run`, as Gradescope does.
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit import notebooks
from labkit.exercises import Course

ROOT = Path(__file__).resolve().parents[1]
TASKS = {
    "add": ("def add(a, b):\n    return a + b", "add(2, 3) == 5", "add('a', 'b') == 'ab'"),
    "evens": (
        "def evens(numbers):\n    return [n for n in numbers if n % 2 == 0]",
        "evens([1, 2, 4]) == [2, 4]",
        "evens([]) == []",
    ),
    "words": ("def words(text):\n    return len(text.split())", "words('a b  c') == 3", "words('') == 0"),
}
CHECK = '''
{name} = Exercise()

@{name}.criterion(points=2)
def {name}_is_right(answer):
    """is right"""
    first = answer.call("{name}", *{first!r}).result()
    second = answer.call("{name}", *{second!r}).result()
    if (first, second) != {expected!r}:
        fail("It is not.")
'''
ARGUMENTS = {
    "add": ([2, 3], ["a", "b"], (5, "ab")),
    "evens": ([[1, 2, 4]], [[]], ([2, 4], [])),
    "words": (["a b  c"], [""], (3, 0)),
}


def code(source: str, **metadata: Any) -> dict[str, Any]:
    cell = {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
    }
    return cell | {"id": f"c{abs(hash(source)) % 10**9}"}


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


# --- labkit -----------------------------------------------------------------------------------------


def labkit(folder: Path, count: int) -> float:
    course = folder / "course"
    (course / "exercises" / "checks").mkdir(parents=True)
    text = "from labkit.exercises import Exercise, fail\n"
    for name, (first, second, expected) in ARGUMENTS.items():
        text += CHECK.format(name=name, first=first, second=second, expected=expected)
    (course / "exercises" / "checks" / "small.py").write_text(text)
    cells = [code(f"%%exercise small/{name}\n{task[0]}") for name, task in TASKS.items()]
    notebooks.write(course / "exercises" / "small.ipynb", notebook(cells))
    return _graded(course, notebook(cells), folder / "in", folder / "out", count)


def _graded(course: Path, handed_in: dict[str, Any], into: Path, out: Path, count: int) -> float:
    """Seconds to grade so many learners, each with a text of their own."""
    for number in range(count):
        theirs = copy.deepcopy(handed_in)
        for answer in notebooks.answers(theirs).values():
            answer.cell["source"] = notebooks.source(answer.cell) + f"\n# learner {number}\n"
        place = into / f"learner{number:03}"
        place.mkdir(parents=True)
        notebooks.write(place / "small.ipynb", theirs)
    environment = os.environ | {"LABKIT_COURSE": str(course), "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "labkit", "grade", str(into), "-o", str(out)]
    started = time.monotonic()
    ran = subprocess.run(argv, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - started
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wrong = [row for row in (out / "gradebook.csv").read_text().splitlines()[1:] if ",solved," not in row]
    assert not wrong, wrong[:3]
    return seconds


# --- nbgrader ---------------------------------------------------------------------------------------


def nbgrader(command: str, folder: Path, count: int) -> float:
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'course'\n")
    cells = []
    for name, (solution, *tests) in TASKS.items():
        head, body = solution.split("\n", 1)
        text = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells.append(code(text, nbgrader=_nbgrader(name, solution=True, grade=False)))
        asserts = "\n".join(f"assert {test}" for test in tests)
        cells.append(
            code(asserts, nbgrader=_nbgrader(f"test_{name}", solution=False, grade=True) | {"points": 2})
        )
    source = folder / "source" / "ps1"
    source.mkdir(parents=True)
    notebooks.write(source / "small.ipynb", notebook(cells))
    _quiet([command, "generate_assignment", "ps1"], folder)
    released = notebooks.read(folder / "release" / "ps1" / "small.ipynb")
    for cell in released["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in TASKS:
            cell["source"] = TASKS[name][0]
    for number in range(count):
        place = folder / "submitted" / f"learner{number:03}" / "ps1"
        place.mkdir(parents=True)
        notebooks.write(place / "small.ipynb", released)
    return _quiet([command, "autograde", "ps1"], folder)


def _nbgrader(name: str, solution: bool, grade: bool) -> dict[str, Any]:
    return {
        "schema_version": 3, "grade_id": name, "solution": solution, "grade": grade, "locked": grade,
        "task": False,
    }  # fmt: skip


# --- otter ------------------------------------------------------------------------------------------


def otter(command: str, folder: Path, count: int) -> float:
    folder.mkdir()
    cells = [raw("# ASSIGNMENT CONFIG\nrequirements: []\nrun_tests: false\ngenerate: true\n")]
    for name, (solution, *tests) in TASKS.items():
        head, body = solution.split("\n", 1)
        cells += [raw(f"# BEGIN QUESTION\nname: {name}\npoints: 2\n"), raw("# BEGIN SOLUTION")]
        cells.append(code(f"{head}\n    # BEGIN SOLUTION\n{body}\n    # END SOLUTION"))
        cells += [raw("# END SOLUTION"), raw("# BEGIN TESTS")]
        cells += [
            code(f'""" # BEGIN TEST CONFIG\nhidden: false\n""" # END TEST CONFIG\nassert {test}')
            for test in tests
        ]
        cells += [raw("# END TESTS"), raw("# END QUESTION")]
    notebooks.write(folder / "small.ipynb", notebook(cells))
    _quiet([command, "assign", "--no-run-tests", "small.ipynb", "dist"], folder)
    (archive,) = (folder / "dist" / "autograder").glob("*.zip")
    right = folder / "dist" / "autograder" / "small.ipynb"
    total = 0.0
    for number in range(count):
        place = folder / f"run{number}"
        place.mkdir()
        shutil.copy(right, place / "small.ipynb")
        total += _quiet([command, "run", "--no-logo", "-a", str(archive), "small.ipynb"], place)
    return total


def raw(source: str) -> dict[str, Any]:
    return {"cell_type": "raw", "source": source, "metadata": {}, "id": f"r{abs(hash(source)) % 10**9}"}


def _quiet(argv: list[str], folder: Path) -> float:
    """Seconds that a command takes."""
    environment = os.environ | {"PATH": f"{Path(argv[0]).parent}:{os.environ['PATH']}"}
    started = time.monotonic()
    ran = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return time.monotonic() - started


# --- all --------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graders", default="", metavar="BIN", help="the folder of nbgrader and otter")
    parser.add_argument("--count", type=int, default=16, help="submissions of the small notebook (16)")
    parser.add_argument("--class-size", type=int, default=300, help="submissions of a whole topic (300)")
    options = parser.parse_args()
    path = f"{options.graders}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as temporary:
        folder = Path(temporary)
        ours = labkit(folder / "labkit", options.count) / options.count
        print(f"labkit    {ours:7.3f} s a notebook of three exercises, {1 / ours:6.1f} a second")
        for name, grader, count in (("nbgrader", nbgrader, options.count), ("otter", otter, 3)):
            command = shutil.which(name, path=path)
            if command is None:
                print(f"{name:9} is not here")
                continue
            theirs = grader(command, folder / name, count) / count
            print(
                f"{name:9} {theirs:7.3f} s, {1 / theirs:6.1f} a second: "
                f"{theirs / ours:.1f} times labkit's time"
            )
        if options.class_size:
            _whole_topic(folder, options.class_size)


def _whole_topic(folder: Path, count: int) -> None:
    course = Course(ROOT)
    master = notebooks.read(course.folder / "solutions" / "04_pipes.ipynb")
    seconds = _graded(ROOT, master, folder / "class", folder / "class-out", count)
    answers = len(notebooks.answers(master))
    print(
        f"{count} submissions of pipes ({answers} exercises) on {os.cpu_count()} processors: {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
