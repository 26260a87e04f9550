"""`labkit build`: exercises from masters, the same to the byte, and never over an answer."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit import building, notebooks
from labkit.errors import LabError
from labkit.exercises import Course

COURSE = Course(Path(__file__).parents[1])
SOLUTIONS, EXERCISES = COURSE.folder / "solutions", COURSE.folder / "exercises"

MASTER = """%%exercise pipes/write_all
def write_all(fd, data):
    ### BEGIN SOLUTION
    right(fd, data)
    ### END SOLUTION
"""


def notebook(text: str, expected: str = "Solved.\n") -> dict[str, Any]:
    cell = {"cell_type": "code", "id": "one", "metadata": {"tags": ["kept"]}, "execution_count": 3}
    cell |= {"source": text, "outputs": notebooks.stream(expected)}
    words = {"cell_type": "markdown", "id": "two", "metadata": {}, "source": "Words."}
    return {"cells": [words, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def answer_cell(made: dict[str, Any]) -> dict[str, Any]:
    return next(cell for cell in made["cells"] if cell["id"] == "one")


def test_a_stub_stands_for_the_solution_and_the_report_is_kept() -> None:
    cell = answer_cell(building.built(notebook(MASTER)))
    assert notebooks.source(cell) == (
        "%%exercise pipes/write_all\ndef write_all(fd, data):\n    # Your code here.\n    pass"
    )
    assert (cell["outputs"], cell["execution_count"]) == ([], None)
    about = notebooks.about(cell)
    assert (about["exercise"], about["expected"]) == ("pipes/write_all", "Solved.\n")
    assert cell["metadata"]["tags"] == ["kept"]


def test_a_stub_of_the_authors_own_is_uncommented() -> None:
    text = MASTER.replace(
        "    ### END", "    ### STUB\n    # wrong(fd)\n    # if fd:\n    #     again()\n    ### END"
    )
    assert building.stub(text).splitlines()[2:] == ["    wrong(fd)", "    if fd:", "        again()"]


def test_marks_may_stand_behind_any_comment_sign() -> None:
    text = "%%exercise pipes/c\nint main(void) {\n  // ### BEGIN SOLUTION\n  x();\n  // ### END SOLUTION\n}"
    assert "x();" not in building.stub(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MASTER.replace("    ### END SOLUTION\n", ""), "never ends"),
        ("%%exercise pipes/write_all\npass\n", "has no ### BEGIN SOLUTION"),
    ],
)
def test_a_master_with_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        building.built(notebook(text))


def test_a_master_that_never_ran_is_named() -> None:
    with pytest.raises(LabError, match="labkit build --run"):
        building.built(notebook(MASTER, expected=""))


def test_an_answer_is_never_overwritten_and_is_no_drift() -> None:
    master = notebook(MASTER)
    learners = building.built(master)
    answer_cell(learners)["source"] = "%%exercise pipes/write_all\nmine"
    answer_cell(learners)["outputs"] = notebooks.stream("0 of 8 points.\n")
    assert building.differences(master, learners) == []
    rebuilt = building.built(notebook(MASTER.replace("fd, data):", "fd, data, /):")), learners)
    assert notebooks.source(answer_cell(rebuilt)) == "%%exercise pipes/write_all\nmine"
    assert notebooks.printed(answer_cell(rebuilt)) == "0 of 8 points.\n"


def test_an_old_stub_nobody_touched_is_replaced() -> None:
    old = building.built(notebook(MASTER.replace("fd, data):", "fd):")))
    rebuilt = building.built(notebook(MASTER), old)
    assert "fd, data):" in notebooks.source(answer_cell(rebuilt))


@pytest.mark.parametrize("change", ["text", "expected", "stub", "gone"])
def test_drift_is_found(change: str) -> None:
    master = notebook(MASTER)
    stale = copy.deepcopy(building.built(master))
    if change == "text":
        stale["cells"][0]["source"] = "Other words."
    elif change == "expected":
        answer_cell(stale)["metadata"]["labkit"]["expected"] = "Solved: 1 of 1.\n"
    elif change == "stub":
        master = notebook(MASTER.replace("fd, data):", "fd):"))
    else:
        stale["cells"].pop(0)
    assert len(building.differences(master, stale)) == 1


def test_masters_and_exercises_of_this_course_have_not_drifted() -> None:
    assert building.drift(SOLUTIONS, EXERCISES) == []


def test_building_twice_changes_not_a_byte(tmp_path: Path) -> None:
    shutil.copytree(SOLUTIONS, tmp_path / "solutions")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        building.build(tmp_path / "solutions", tmp_path / folder)
    made = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert building.build(tmp_path / "solutions", tmp_path / "one") == []
    assert set(made) == {path.name for path in SOLUTIONS.glob("*.ipynb")}


def test_jupyter_saving_a_built_notebook_changes_nothing(tmp_path: Path) -> None:
    for path in EXERCISES.glob("*.ipynb"):
        copied = tmp_path / path.name
        code = "import nbformat, sys; p, q = sys.argv[1:]; nbformat.write(nbformat.read(p, 4), q)"
        subprocess.run([sys.executable, "-c", code, str(path), str(copied)], check=True)
        theirs, ours = notebooks.read(copied), notebooks.read(path)
        assert notebooks.as_text(theirs) == notebooks.as_text(ours)


def test_the_command_says_what_is_stale(tmp_path: Path) -> None:
    shutil.copytree(COURSE.folder / "exercises", tmp_path / "exercises")
    shutil.copytree(SOLUTIONS, tmp_path / "solutions")
    target = tmp_path / "exercises" / "04_pipes.ipynb"
    target.write_text(target.read_text().replace("read to the end", "read on"))
    command = [sys.executable, "-m", "labkit", "build"]
    stale = subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert (stale.returncode, "read-to-end-task differs" in stale.stdout) == (1, True)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).returncode == 0
    assert subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True).returncode == 0
