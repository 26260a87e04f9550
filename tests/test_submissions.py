"""What learners hand in: odd names, files and cells. Each is read or gets a sentence; none stops the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandboxes import ordinary_user

from labkit import checking, notebooks
from labkit.errors import LabError
from labkit.exercises import Course
from labkit.grading.collecting import Submission, collect
from labkit.grading.gradebook import file_name

COURSE = Course(Path(__file__).parents[1])
NAME = "unix_sockets/what_arrives"
RIGHT = """def what_arrives():
    return {
        "stream": [b"a", b"bcde", b""],
        "datagram": [b"a", b"cde", "waits"],
        "seqpacket": [b"a", b"cde", b""],
    }
"""


def notebook(text: str) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def hand_in(folder: Path, text: str = f"%%exercise {NAME}\n{RIGHT}", name: str = "work.ipynb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(notebook(text)))
    return folder / name


def only(folder: Path) -> Submission:
    (found,) = collect(folder, {NAME})
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"%%exercise {NAME}\r\n" + RIGHT.replace("\n", "\r\n"),
        f"\n  \n%%exercise {NAME}\n{RIGHT}",
        f"  %%exercise {NAME}\n" + "".join(f"  {line}\n" for line in RIGHT.splitlines()),
    ],
    ids=["other line ends", "empty lines first", "indented"],
)
def test_a_cell_that_a_notebook_runs_is_an_answer(tmp_path: Path, text: str) -> None:
    hand_in(tmp_path / "ann", text)
    found: dict[str, Any] = {}
    exec(only(tmp_path).answers[NAME], found)
    assert found["what_arrives"]()["stream"] == [b"a", b"bcde", b""]


def test_a_traceback_still_names_the_cells_own_lines(tmp_path: Path) -> None:
    hand_in(tmp_path / "ann", f"\n\n%%exercise {NAME}\nraise")
    assert only(tmp_path).answers[NAME].splitlines()[3] == "raise"


def test_fifos_and_links_and_devices_are_no_notebooks(tmp_path: Path) -> None:
    path = hand_in(tmp_path / "ann", name="b.ipynb")
    os.mkfifo(path.with_name("a.ipynb"))
    os.mkfifo(path.with_name("timestamp.txt"))
    path.with_name("c.ipynb").symlink_to("/dev/zero")
    path.with_name("d.ipynb").mkdir()
    assert only(tmp_path) == Submission("ann", {NAME: "\n" + RIGHT})
    with pytest.raises(LabError, match="no regular file"):
        notebooks.read(path.with_name("a.ipynb"))


def test_folders_without_end_are_left_alone(tmp_path: Path) -> None:
    hand_in(tmp_path / "ann")
    here = os.open(tmp_path / "ann", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert NAME in only(tmp_path).answers
    subprocess.run(["rm", "-rf", str(tmp_path / "ann")], check=True)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    locked = hand_in(tmp_path / "in" / "ann" / "locked").parent
    locked.chmod(0)
    python, user = ordinary_user(tmp_path)
    code = (
        "from pathlib import Path; from labkit.grading.collecting import collect; "
        f"print(collect(Path({str(tmp_path / 'in')!r}), set())[0].problems)"
    )
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, **user)
    assert ran.stdout == "['The folder locked cannot be read: Permission denied.']\n", ran.stderr
    locked.chmod(0o700)


def test_more_notebooks_than_anybody_needs_are_said(tmp_path: Path) -> None:
    for number in range(201):
        hand_in(tmp_path / "ann", "", f"{number:03}.ipynb")
    assert "more than 200 notebooks" in only(tmp_path).problems[0]


def test_brackets_without_end_do_not_take_all_memory(tmp_path: Path) -> None:
    path = hand_in(tmp_path / "ann")
    path.write_bytes(b'{"cells": [' + b"[]," * 2_000_000 + b"[]]}")
    assert "clear its outputs" in only(tmp_path).problems[0]


def test_the_gradebook_among_the_submissions_is_no_learner(tmp_path: Path) -> None:
    hand_in(tmp_path / "ann")
    out = tmp_path / "out"
    out.mkdir()
    assert [found.learner for found in collect(tmp_path, {NAME}, out=out)] == ["ann"]


def test_a_long_name_is_cut_where_it_names_a_file_and_stays_its_own() -> None:
    one, other = "x" * 254 + "1", "x" * 254 + "2"
    assert file_name("ann") == "ann"
    assert file_name(one) != file_name(other)
    assert len(os.fsencode(file_name("ä" * 127))) < 230


ODD_NAMES = [b"caf\xe9", b"two\nlines", b"x" * 255, b"-dash", "\u202ename".encode(), b"<script>"]


def test_learners_with_odd_names_get_their_marks(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ODD_NAMES:
        hand_in(folder / os.fsdecode(name))
    (folder / os.fsdecode(b"\xff nothing\n")).mkdir()
    argv = [sys.executable, "-m", "labkit", "grade", str(folder), "-o", str(out), "--jobs", "1"]
    for judged in (len(ODD_NAMES), 0):
        ran = subprocess.run(argv, capture_output=True, text=True, cwd=COURSE.folder)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"{judged} answers judged" in ran.stdout
    assert f"{len(ODD_NAMES)} solved" in ran.stdout
    assert "Look at \\udcff nothing\\n: unreadable. There is no notebook" in ran.stdout
    assert len(os.listdir(out / "reports")) == len(os.listdir(out / "gradescope")) == len(ODD_NAMES) + 1


def test_a_gradebook_that_cannot_be_written_gets_one_line_and_no_mark_is_lost(tmp_path: Path) -> None:
    hand_in(tmp_path / "in" / "ann")
    book = tmp_path / "out" / "gradebook.csv"
    book.mkdir(parents=True)
    argv = [sys.executable, "-m", "labkit", "grade", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=COURSE.folder)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert "gradebook.csv" in ran.stderr
    assert "Is a directory. What was judged is kept." in ran.stderr
    book.rmdir()
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=COURSE.folder)
    assert "0 answers judged" in ran.stdout, ran.stderr


def test_half_a_character_can_be_checked_and_graded(tmp_path: Path) -> None:
    path = hand_in(tmp_path / "ann", f"%%exercise {NAME}\n{RIGHT}# \ud800\n")
    pristine = notebooks.read(COURSE.folder / "exercises" / "13_unix_sockets.ipynb")
    filled = checking.put(pristine, notebooks.answers(notebooks.read(path)))
    notebooks.write(path, filled)
    assert "# ?" in only(tmp_path).answers[NAME]
