"""`%%exercise` in a real kernel: streamed, interrupted, killed; the notebook's process stays out of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from front_end import FrontEnd

from labkit import masters
from labkit.exercises import Course
from labkit.grading import marking

COURSE = Course(Path(__file__).parents[1])
SLOW = """%%exercise pipes/write_all
import os
def write_all(fd, data):
    os.write(fd, data[:100])
    if len(data) > 100:
        if os.fork() == 0:
            os.setsid()
        while True: pass
"""


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrontEnd]:
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    monkeypatch.setenv("LABKIT_COURSE", str(COURSE.folder))
    front = FrontEnd("labkit")
    yield front
    front.close()


def test_a_solved_exercise_is_reported_and_kept(notebook: FrontEnd) -> None:
    answer = "%%exercise pipes/write_all\n" + masters.solution(COURSE, "pipes/write_all")
    points = marking.out_of_points(COURSE, "pipes/write_all")
    assert f"Solved: {points} of {points} points." in notebook.run(answer)
    assert f"✓ pipes/write_all: {points} of {points} points" in notebook.run("%progress")
    assert "rest[os.write(fd, rest):]" in notebook.run("%solution pipes/write_all")


def test_results_come_as_they_are_found_and_an_interrupt_ends_it_all(notebook: FrontEnd) -> None:
    id = notebook.send(SLOW)
    notebook.until(lambda: "100 of 100 bytes arrived" in notebook.text(id))
    notebook.manager.interrupt_kernel()
    notebook.until(lambda: id not in notebook.busy)
    assert "Interrupted: nothing was marked." in notebook.text(id)
    left = "import subprocess; print(subprocess.run(['pgrep', '-fc', 'nursery'], capture_output=True).stdout)"
    assert "b'0\\n'" in notebook.run(left)
    assert "· pipes/write_all" in notebook.run("%progress")


def test_killing_the_kernel_leaves_nothing_of_an_answer(notebook: FrontEnd) -> None:
    """The fixture of all tests finds what is left."""
    id = notebook.send(SLOW)
    notebook.until(lambda: "100 of 100 bytes arrived" in notebook.text(id))
    pid = notebook.manager.provisioner.pid  # type: ignore[union-attr]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_mistakes_in_the_magic_get_one_sentence(notebook: FrontEnd) -> None:
    assert notebook.run("%%exercise pipes/writeall\npass").startswith("There is no exercise 'pipes/writeall'")
    assert "needs the name of an exercise" in notebook.run("%%exercise\npass")


def test_an_answer_sees_no_other_cell(notebook: FrontEnd) -> None:
    notebook.run("def write_all(fd, data): pass")
    assert "There is no function `write_all`" in notebook.run("%%exercise pipes/write_all\npass")
