"""`labkit check` and nbval: what is unsolved fails, what is solved passes, nothing else counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit import notebooks
from labkit.exercises import Course

COURSE = Course(Path(__file__).parents[1])
UNSOLVED = COURSE.folder / "exercises" / "04_pipes.ipynb"
COUNT = len(notebooks.answers(notebooks.read(UNSOLVED)))
MASTER = COURSE.folder / "solutions" / "04_pipes.ipynb"


def check(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labkit", "check", str(path)], capture_output=True, text=True
    )


def nbval(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(COURSE.folder)]
    argv += ["-p", "labkit.nbval_plugin", "--nbval", *options, str(path)]
    return subprocess.run(argv, cwd=COURSE.folder, capture_output=True, text=True)


def forged(solved: bool = False) -> dict[str, Any]:
    """A notebook whose outputs and metadata claim everything."""
    notebook = notebooks.read(MASTER if solved else UNSOLVED)
    for answer in notebooks.answers(notebook).values():
        answer.cell["outputs"] = notebooks.stream(notebooks.about(answer.cell).get("expected", "Solved."))
        answer.cell["execution_count"] = 7
        answer.cell["metadata"] = {"labkit": {"expected": "", "exercise": answer.exercise}}
    return notebook


def test_the_masters_pass_nbval() -> None:
    ran = nbval(COURSE.folder / "solutions")
    assert ran.returncode == 0, ran.stdout


def test_an_unsolved_notebook_fails_nbval_cell_by_cell() -> None:
    ran = nbval(UNSOLVED)
    assert ran.returncode == 1
    assert f"{COUNT} failed" in ran.stdout, ran.stdout


def test_a_solved_notebook_is_checked_and_passes() -> None:
    ran = check(MASTER)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{COUNT} of {COUNT} exercises solved" in ran.stdout


def test_outputs_metadata_and_other_cells_do_not_count(tmp_path: Path) -> None:
    notebook = forged()
    trap = {"cell_type": "code", "id": "trap", "metadata": {}, "outputs": [], "execution_count": None}
    trap["source"] = "import os; os._exit(0)"
    notebook["cells"].insert(0, trap)
    notebooks.write(tmp_path / "04_pipes.ipynb", notebook)
    ran = check(tmp_path / "04_pipes.ipynb")
    assert ran.returncode == 1
    assert f"0 of {COUNT} exercises solved" in ran.stdout


def test_a_renamed_notebook_is_known_by_its_answers_and_of_two_answers_the_first_counts(
    tmp_path: Path,
) -> None:
    notebook = forged(solved=True)
    first = next(iter(notebooks.answers(notebook).values()))
    spoilt = first.cell | {"id": "spoilt", "source": "%%exercise pipes/write_all\nraise SystemExit"}
    notebook["cells"].append(spoilt)
    notebooks.write(tmp_path / "my work.ipynb", notebook)
    ran = check(tmp_path / "my work.ipynb")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_deleted_answer_is_named(tmp_path: Path) -> None:
    notebook = forged(solved=True)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "read-to-end"]
    notebooks.write(tmp_path / "04_pipes.ipynb", notebook)
    ran = check(tmp_path / "04_pipes.ipynb")
    assert ran.returncode == 1
    assert "There is no cell that begins with this %%exercise" in ran.stdout
    assert "✓ pipes/write_all" in ran.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "it is not JSON"),
        (b"[]", "no list of cells"),
        (b"{}", "no list of cells"),
        (None, "No such"),
    ],
)
def test_what_is_no_notebook_gets_one_sentence(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "04_pipes.ipynb"
    if content is not None:
        path.write_bytes(content)
    ran = check(path)
    assert (ran.returncode, ran.stderr.count("\n"), words in ran.stderr) == (2, 1, True), ran.stderr


def lecture(tmp_path: Path, printed: str, stored: str) -> Path:
    """A notebook of one cell that prints one thing, while another is stored."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1}
    cell |= {"source": f"print({printed!r})", "outputs": notebooks.stream(stored + "\n")}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "lecture.ipynb"
    notebooks.write(path, notebook)
    return path


VARIES = [
    ("child is pid 812", "child is pid 90311"),
    ("shmid 7, key 0x1f00aa10", "shmid 32768, key 0x77777777"),
    ("3 -> pipe:[1234]", "3 -> pipe:[998877]"),
    ("mapped at 0x7f0011223000", "mapped at 0x7fffe1223000"),
    ("connected to 127.0.0.1:40001", "connected to 127.0.0.1:51234"),
    ("it took 12.5 ms", "it took 3 ms"),
    ("owner alice", "owner bob"),
    ("bound to /root/.cache/labkit/scratch/door", "bound to /home/alice/.cache/labkit/scratch/door"),
    ("bound to /tmp/labkit-0-1f2e3d4c5b6a/door", "bound to /tmp/labkit-1001-a1b2c3d4e5f6/door"),
]
DOES_NOT_VARY = [
    ("wrote 65536 bytes", "wrote 65535 bytes"),
    ("65536 of 100000 bytes arrived", "65536 of 100001 bytes arrived"),
    ("descriptor 3", "descriptor 4"),
    ("exited with status 1", "exited with status 2"),
    ("pid of the child: none", "pid of the child: some"),
    ("pipe-1 holds 5 bytes", "pipe-1 holds 6 bytes"),
    ("value 2, 1 waiting", "value 2, 0 waiting"),
    ("read(3) = 17", "read(3) = 71"),
    ("bound to /root/.cache/labkit/scratch/door", "bound to /root/.cache/labkit/scratch/window"),
]


def lecture_of(tmp_path: Path, pairs: list[tuple[str, str]]) -> Path:
    """One notebook with a cell for each pair."""
    cells = []
    for number, (here, there) in enumerate(pairs):
        notebook = json.loads(lecture(tmp_path, here, there).read_text())
        cells.append(notebook["cells"][0] | {"id": f"cell-{number}"})
    notebook["cells"] = cells
    notebooks.write(tmp_path / "lecture.ipynb", notebook)
    return tmp_path / "lecture.ipynb"


def test_what_truly_varies_is_no_difference(tmp_path: Path) -> None:
    ran = nbval(lecture_of(tmp_path, VARIES))
    assert ran.returncode == 0, ran.stdout


def test_a_wrong_byte_count_and_everything_else_is_still_caught(tmp_path: Path) -> None:
    ran = nbval(lecture_of(tmp_path, DOES_NOT_VARY))
    assert f"{len(DOES_NOT_VARY)} failed in" in ran.stdout, ran.stdout
