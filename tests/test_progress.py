"""Hints, solutions and progress: opened one at a time, kept safely, shown when they are due."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labkit import masters, progress
from labkit.errors import LabError
from labkit.exercises import Course
from labkit.magics import answers
from labkit.reports import Report, Result

COURSE = Course(Path(__file__).parents[1])
NAME = "pipes/write_all"


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LABKIT_COURSE", str(COURSE.folder))


def report(points: int) -> Report:
    results = (Result("does it", points > 0, points or 3), Result("tidy", points > 3, 1))
    return Report(NAME, results)


def test_hints_open_one_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    hints = COURSE.exercise(NAME).hints
    for count in range(1, len(hints) + 2):
        answers.hint(NAME)
        shown = capsys.readouterr().out
        assert [hint in shown for hint in hints] == [number < count for number in range(len(hints))]
        assert ("the last hint" in shown) == (count >= len(hints))


def test_the_solution_opens_after_three_different_tries_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stub = masters.stub(COURSE, NAME).partition("\n")[2]
    for text in (stub, "one", stub, "one", "one  \n", "two"):
        progress.judged(report(0), text, masters.stub_mark(COURSE, NAME))
    with pytest.raises(LabError, match="1 more try"):
        answers.solution(NAME)
    progress.judged(report(0), "import os\n\ndef write_all(fd, data):\n    os.write(fd, data)\n", None)
    answers.solution(NAME)
    shown = capsys.readouterr().out
    assert "rest = rest[os.write(fd, rest):]" in shown
    assert "SOLUTION" not in shown
    assert "-    os.write(fd, data)" in shown


def test_the_solution_opens_when_solved() -> None:
    with pytest.raises(LabError, match="opens when you have solved it"):
        answers.solution(NAME)
    progress.judged(report(4), "right", None)
    answers.solution(NAME)


def test_a_solution_is_shown_without_its_stub() -> None:
    shown = masters.solution(COURSE, "pipes/read_to_end")
    assert "os.close(w)" in shown
    assert "# return data" not in shown


def test_the_best_try_counts() -> None:
    progress.judged(report(3), "a", None)
    progress.judged(report(0), "b", None)
    assert (progress.read()[NAME].points, progress.read()[NAME].solved) == (3, False)
    assert f"… {NAME}: 3 of 4 points" in progress.table(COURSE)
    progress.judged(report(4), "c", None)
    assert f"✓ {NAME}" in progress.table(COURSE)


def test_the_table_in_a_notebook_links_to_both_of_its_topics_notebooks() -> None:
    progress.judged(report(3), "a", None)
    shown = progress.page(COURSE, COURSE.folder / "notebooks")
    row = shown[shown.index("04_pipes.ipynb") - 40 : shown.index("09_sysv")]
    for words in ('href="04_pipes.ipynb"', 'href="../exercises/04_pipes.ipynb"', f"{NAME}: begun", "3 of 14"):
        assert words in row
    assert "pipes/exchange: not tried" in row
    assert "begun" not in shown.replace(row, "")


def test_topics_come_in_the_order_of_the_notebooks() -> None:
    shown = progress.table(COURSE)
    places = [shown.index(f"{topic}: 0 of ") for topic in ("start_here", "pipes", "unix_sockets")]
    assert places == sorted(places)
    assert all(f"{topic}: " in shown for topic in COURSE.topics())


def test_twelve_notebooks_at_a_time_lose_nothing() -> None:
    code = "import sys; from labkit import progress\nfor n in range(20):\n"
    code += " with progress.changing('a/b') as kept: kept.hints += 1"
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(12)]
    assert [process.wait() for process in running] == [0] * 12
    assert progress.read()["a/b"].hints == 240


def test_a_damaged_file_is_named() -> None:
    progress.folder().mkdir()
    (progress.folder() / "progress.json").write_text("{")
    with pytest.raises(LabError, match="is damaged: remove it"):
        progress.read()


class Shell:
    """As much of IPython as `%reset_exercise` needs."""

    def __init__(self) -> None:
        self.next: list[tuple[str, bool]] = []

    def register_magic_function(self, *_: object) -> None:
        pass

    def set_next_input(self, text: str, replace: bool = False) -> None:
        self.next.append((text, replace))


def test_reset_brings_the_stub_back() -> None:
    shell = Shell()
    answers.load(shell)
    answers.reset_exercise(NAME)
    assert shell.next == [(masters.stub(COURSE, NAME), True)]


def test_unknown_names_get_one_sentence() -> None:
    for magic in (answers.hint, answers.solution, answers.reset_exercise):
        with pytest.raises(LabError, match="There is no exercise 'pipes/nothing'"):
            magic("pipes/nothing")
        for typed in ("write_all", "pipe/write_all"):
            with pytest.raises(LabError, match=r"Did you mean pipes/write_all\?$"):
                magic(typed)
        with pytest.raises(LabError, match="needs the name of an exercise"):
            magic("")
