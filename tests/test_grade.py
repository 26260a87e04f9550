"""`labkit grade`: every mark once, whatever happens; and a zoo of hostile answers that earn nothing."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exercises.zoo import ANSWERS

from labkit import notebooks
from labkit.exercises import Course
from labkit.grading import marking

COURSE = Course(Path(__file__).parents[1])
MASTER = COURSE.folder / "solutions" / "04_pipes.ipynb"
EXERCISES = list(notebooks.answers(notebooks.read(MASTER)))
POINTS = {name: marking.out_of_points(COURSE, name) for name in EXERCISES}
FULL = POINTS["pipes/write_all"]


def grade(submissions: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "labkit", "grade", str(submissions), "-o", str(out), *options]
    return subprocess.run(argv, capture_output=True, text=True, cwd=COURSE.folder)


def rows(out: Path) -> dict[tuple[str, str], dict[str, str]]:
    with open(out / "gradebook.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    keyed = {(row["learner"], row["exercise"]): row for row in found}
    assert len(keyed) == len(found), "a mark is doubled"
    return keyed


def hand_in(submissions: Path, learner: str, notebook: dict[str, Any], name: str = "04_pipes.ipynb") -> Path:
    path = submissions / learner / "pipes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def solved() -> dict[str, Any]:
    return notebooks.read(MASTER)


def with_answer(exercise: str, text: str) -> dict[str, Any]:
    """A notebook of one answer."""
    cell = {"cell_type": "code", "source": f"%%exercise {exercise}\n{text}", "metadata": {}, "outputs": []}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


# --- the gradebook ----------------------------------------------------------------------------------


def test_a_class_is_graded(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    hand_in(folder, "ann", solved())
    hand_in(folder, "bob", notebooks.read(COURSE.folder / "exercises" / "04_pipes.ipynb"))
    ran = grade(folder, tmp_path / "out", "--jobs", "2")
    assert ran.returncode == 0, ran.stderr
    found = rows(tmp_path / "out")
    assert list(found) == [(who, name) for who in ("ann", "bob") for name in EXERCISES]
    assert {row["status"] for (who, _), row in found.items() if who == "ann"} == {"solved"}
    assert {row["status"] for (who, _), row in found.items() if who == "bob"} <= {"nothing yet", "partly"}
    ann = json.loads((tmp_path / "out" / "gradescope" / "ann" / "results.json").read_text())
    assert ann["score"] == sum(test["max_score"] for test in ann["tests"]) == sum(POINTS.values())
    page = (tmp_path / "out" / "reports" / "bob.html").read_text()
    assert f"0 of {POINTS['pipes/write_all']}" in page
    assert "0 of 100 bytes arrived" in page
    average = f"{FULL / 2:.1f} of {FULL} points on average"
    assert f"pipes/write_all: {average}; 1 nothing yet, 1 solved" in ran.stdout


def test_the_same_class_graded_twice_gets_the_same_points_and_is_judged_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    hand_in(folder, "ann", solved())
    assert f"{len(EXERCISES)} answers judged" in grade(folder, tmp_path / "out").stdout
    before = (tmp_path / "out" / "gradebook.csv").read_bytes()
    assert "0 answers judged" in grade(folder, tmp_path / "out").stdout
    assert (tmp_path / "out" / "gradebook.csv").read_bytes() == before
    grade(folder, tmp_path / "again")
    points = [[row["points"] for row in rows(tmp_path / out).values()] for out in ("out", "again")]
    assert points[0] == points[1]


def test_a_changed_answer_is_judged_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    hand_in(folder, "ann", with_answer("pipes/write_all", "pass"))
    grade(folder, tmp_path / "out")
    hand_in(folder, "ann", solved())
    assert f"{len(EXERCISES)} answers judged" in grade(folder, tmp_path / "out").stdout
    assert {row["status"] for row in rows(tmp_path / "out").values()} == {"solved"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_it_goes_on_where_it_was(tmp_path: Path, number: signal.Signals) -> None:
    """Killed when three marks are written; the second run judges the rest."""
    folder, out = tmp_path / "in", tmp_path / "out"
    for n in range(5):
        hand_in(folder, f"learner{n}", solved())
    argv = [sys.executable, "-m", "labkit", "grade", str(folder), "-o", str(out), "--jobs", "2"]
    first = subprocess.Popen(argv, cwd=COURSE.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = out / "journal.jsonl"
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
        assert first.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    first.send_signal(number)
    assert first.wait() != 0
    kept = journal.read_bytes().count(b"\n")
    with open(journal, "ab") as file:
        file.write(b'{"learner": "torn')
    second = grade(folder, out, "--jobs", "2")
    assert f"{5 * len(EXERCISES) - kept} answers judged" in second.stdout, second.stdout + second.stderr
    found = rows(out)
    assert len(found) == 5 * len(EXERCISES)
    assert {row["status"] for row in found.values()} == {"solved"}


def test_two_graders_do_not_write_into_one_gradebook(tmp_path: Path) -> None:
    from labkit.grading.journal import Journal

    hand_in(tmp_path / "in", "ann", solved())
    (tmp_path / "out").mkdir()
    with Journal(tmp_path / "out" / "journal.jsonl"):
        ran = grade(tmp_path / "in", tmp_path / "out")
    assert (ran.returncode, "Somebody else is grading" in ran.stderr) == (2, True)


def test_whatever_is_handed_in_gets_a_status_and_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    hand_in(folder, "ann", solved())
    (folder / "empty").mkdir()
    (folder / "broken" / "x").mkdir(parents=True)
    (folder / "broken" / "x" / "04_pipes.ipynb").write_text("{ not json")
    hand_in(folder, "renamed", with_answer("pipes/write_al", "pass"))
    twice = solved()
    twice["cells"].append(with_answer("pipes/write_all", "raise SystemExit")["cells"][0])
    hand_in(folder, "copied", twice)
    one = solved()
    one["cells"] = [cell for cell in one["cells"] if cell["id"] != "write-all"]
    hand_in(folder, "deleted", one)
    big = solved()
    big["cells"][0]["outputs"] = ["x" * (100 << 20)]
    hand_in(folder, "big", big)
    (folder / "linked").mkdir()
    (folder / "linked" / "04_pipes.ipynb").symlink_to(folder / "ann" / "pipes" / "04_pipes.ipynb")
    hand_in(folder, "own name", solved(), "My Work (3).ipynb")
    odd = {"cells": [None, 3, {"cell_type": "code", "source": [1, "%%exercise pipes/write_all\n"]}]}
    hand_in(folder, "odd", odd)
    ran = grade(folder, tmp_path / "out")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = {who: row for (who, what), row in rows(tmp_path / "out").items() if what == "pipes/write_all"}
    seen = {who: (row["status"], row["points"]) for who, row in found.items()}
    assert seen == {
        "ann": ("solved", f"{FULL}"),
        "big": ("unreadable", "0"),
        "broken": ("unreadable", "0"),
        "copied": ("solved", f"{FULL}"),
        "deleted": ("missing", "0"),
        "empty": ("unreadable", "0"),
        "linked": ("unreadable", "0"),
        "odd": ("nothing yet", "0"),
        "own name": ("solved", f"{FULL}"),
        "renamed": ("unreadable", "0"),
    }
    for who, words in {
        "big": "larger than 64 MB",
        "broken": "is not JSON",
        "copied": "more than one cell",
        "deleted": "no cell for this exercise",
        "empty": "no notebook",
        "linked": "no notebook",
        "renamed": "'pipes/write_al', which is no exercise",
    }.items():
        assert words in found[who]["note"]


def test_late_work_is_marked_as_late(tmp_path: Path) -> None:
    path = hand_in(tmp_path / "in", "ann", solved())
    (path.parent / "timestamp.txt").write_text("2026-11-20 20:00:00 UTC")
    for due, note in (("2026-11-20T18:00+00:00", "2.0 hours late"), ("2026-11-20T20:00+00:00", "")):
        grade(tmp_path / "in", tmp_path / "out", "--due", due)
        row = rows(tmp_path / "out")["ann", "pipes/write_all"]
        assert (note in row["note"], row["points"], bool(row["note"])) == (True, f"{FULL}", bool(note))


def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path) -> None:
    hand_in(tmp_path / "in", "=cmd|' /C calc'!A0", solved())
    grade(tmp_path / "in", tmp_path / "out")
    assert "\n'=cmd" in (tmp_path / "out" / "gradebook.csv").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["/nowhere", "-o", "out"], "is no folder"),
        ([".", "-o", "out", "--jobs", "0"], "1 or more"),
        ([".", "-o", "out", "--due", "soon"], "is no time"),
        ([".", "-o", "out", "--checks", "/nowhere"], "no folder of checks"),
    ],
)
def test_wrong_usage_gets_one_line(options: list[str], words: str) -> None:
    ran = subprocess.run([sys.executable, "-m", "labkit", "grade", *options], capture_output=True, text=True)
    assert (ran.returncode, words in ran.stderr, ran.stderr.count("\n")) == (2, True, 1), ran.stderr


def test_without_a_sandbox_it_refuses_unless_told_otherwise(tmp_path: Path) -> None:
    hand_in(tmp_path / "in", "ann", solved())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "bwrap").write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    (tools / "bwrap").chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "labkit", "grade", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    run = {"capture_output": True, "text": True, "env": environment, "cwd": COURSE.folder}
    refused = subprocess.run(argv, **run)  # type: ignore[call-overload]
    assert (refused.returncode, "--no-sandbox" in refused.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    told = subprocess.run([*argv, "--no-sandbox"], **run)  # type: ignore[call-overload]
    assert told.returncode == 0, told.stderr
    assert {row["status"] for row in rows(tmp_path / "out").values()} == {"solved"}


# --- the zoo ----------------------------------------------------------------------------------------


@pytest.fixture
def beside_python() -> Iterator[Path]:
    """A folder in the one that Python itself is in, which answers see."""
    with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_hostile_answers_earn_nothing_and_harm_nobody(tmp_path: Path, beside_python: Path) -> None:
    assert len(ANSWERS) >= 30
    folder, out, hidden = tmp_path / "in", tmp_path / "out", beside_python
    checks = (COURSE.folder / "exercises" / "checks" / "pipes.py").read_text(encoding="utf-8")
    (hidden / "pipes.py").write_text(checks, encoding="utf-8")
    canary = tmp_path / "canary" / "file"
    canary.parent.mkdir()
    canary.write_text("untouched")
    with listening() as (server, abstract):
        words = {
            "{canary_folder}": str(canary.parent),
            "{canary}": str(canary),
            "{course}": str(COURSE.folder),
            "{hidden}": str(hidden),
            "{submissions}": str(folder),
            "{port}": str(server.getsockname()[1]),
        }
        hand_in(folder, "aaa honest", solved())
        for name, text in ANSWERS.items():
            for word, value in words.items():
                text = text.replace(word, value)
            exercise = "pipes/read_to_end" if name.startswith("read_to_end") else "pipes/write_all"
            hand_in(folder, name.replace(": ", " "), with_answer(exercise, text))
        hand_in(folder, "zzz honest", solved())
        ran = grade(folder, out, "--jobs", "4", "--checks", str(hidden))
        assert ran.returncode in (0, 1), ran.stdout + ran.stderr
        for listener in (server, abstract):
            with pytest.raises(BlockingIOError):
                listener.accept()
    found = rows(out)
    honest = {key: row for key, row in found.items() if "honest" in key[0] and row["status"] != "solved"}
    assert honest == {}
    earned = {
        key: row["points"] for key, row in found.items() if "honest" not in key[0] and row["points"] != "0"
    }
    assert earned == {}
    errors = {key: row["note"] for key, row in found.items() if row["status"] == "error"}
    assert errors == {}
    assert canary.read_text() == "untouched"
    assert [path.name for path in canary.parent.iterdir()] == ["file"]
    assert len(found) == len(EXERCISES) * (len(ANSWERS) + 2)


class listening:
    """A TCP server and one with an abstract name, to which nobody should come."""

    def __enter__(self) -> tuple[socket.socket, socket.socket]:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0labkit-canary")
        self.abstract.listen()
        for listener in (self.server, self.abstract):
            listener.setblocking(False)
        return self.server, self.abstract

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.abstract.close()
