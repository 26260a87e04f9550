"""Every exercise: what is wrong fails, what is right passes, and it is said the same way every time."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from labkit import notebooks
from labkit.building import stub
from labkit.exercises import Course
from labkit.grading import marking
from labkit.grading.marking import Task
from labkit.judge.asking import judge
from labkit.reports import Report

COURSE = Course(Path(__file__).parents[1])
NAMES = list(COURSE.names())
CHECKS = COURSE.folder / "exercises" / "checks"
WRONG, RIGHT = (sorted((CHECKS / folder).glob("*/*__*.*")) for folder in ("wrong", "right"))


def share(item: pytest.Item) -> str:
    """The exercise that a test is about."""
    return item.callspec.id.partition("__")[0] if hasattr(item, "callspec") else ""


def masters() -> dict[str, notebooks.AnswerCell]:
    found: dict[str, notebooks.AnswerCell] = {}
    for path in (COURSE.folder / "solutions").glob("*.ipynb"):
        found |= notebooks.answers(notebooks.read(path))
    return found


MASTERS = masters()
RUNS = int(os.environ.get("LABKIT_RUNS", "10"))
REPORTS: dict[Path, str] = {}
"""What was said of a wrong answer before, in this run of the tests."""
pytestmark = pytest.mark.timeout(600)


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def exercise_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem.partition('__')[0]}"


def expectation(path: Path, word: str) -> str:
    found = re.search(rf"^(?:#|//) {word}: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{path.name} does not say `{word}:`"
    return found[1]


def first_failure(report: Report) -> tuple[str, str]:
    failed = next(result for result in report.results if not result.held)
    return failed.criterion, failed.seen


@pytest.mark.parametrize("name", NAMES)
def test_the_stub_fails(name: str) -> None:
    report = judge(COURSE, name, stub(notebooks.source(MASTERS[name].cell)).partition("\n")[2])
    assert not report.solved
    assert report.points < report.out_of / 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shared_memory/about", "def about(key): return None"),
        ("unix_sockets/messages", "def messages(fd): raise EOFError"),
    ],
)
def test_who_has_not_begun_earns_nothing_by_chance(name: str, text: str) -> None:
    """Where to do nothing, or to give up, is right in some cases."""
    assert judge(COURSE, name, f"\n{text}").points == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_master_passes_and_its_stored_output_says_so(name: str) -> None:
    report = judge(COURSE, name, MASTERS[name].text)
    assert report.solved, report.text()
    assert notebooks.printed(MASTERS[name].cell) == report.text()


@pytest.mark.parametrize("path", RIGHT, ids=named)
def test_a_right_answer_of_another_kind_passes_with_the_same_report(path: Path) -> None:
    name = exercise_of(path)
    report = judge(COURSE, name, "\n" + path.read_text(encoding="utf-8"))
    assert report.text() == notebooks.printed(MASTERS[name].cell)


@pytest.mark.parametrize("path", WRONG, ids=named)
def test_a_wrong_answer_fails_on_its_own_criterion_with_its_own_sentence(path: Path) -> None:
    report = judge(COURSE, exercise_of(path), path.read_text(encoding="utf-8"))
    REPORTS[path] = report.text()
    criterion, seen = first_failure(report)
    assert criterion == expectation(path, "fails"), report.text()
    assert expectation(path, "hears") in seen, report.text()


@pytest.mark.parametrize("name", NAMES)
def test_ten_runs_give_the_same_report(name: str) -> None:
    """Of the master; and ten of wrong answers, which end in more ways. Graded as a class's, two at a time."""
    wrong = [path for path in WRONG if exercise_of(path) == name]
    runs = {path: max(2, RUNS // len(wrong)) - (path in REPORTS) for path in wrong}
    texts = {path: path.read_text(encoding="utf-8") for path in wrong}
    said = {text: {REPORTS[path]} if path in REPORTS else set() for path, text in texts.items()}
    graded = [text for path, text in texts.items() for _ in range(runs[path])] + [MASTERS[name].text] * RUNS
    tasks = [Task(f"{number}", name, text, "", text) for number, text in enumerate(graded)]
    marking.mark_all(
        COURSE, tasks, 2, True, lambda mark: said.setdefault(mark.digest, set()).add(mark.report)
    )
    assert [len(reports) for reports in said.values()] == [1] * len(said), "\n".join(map(str, said.values()))


def test_every_exercise_has_its_master_and_three_wrong_answers_and_hints() -> None:
    assert sorted(MASTERS) == sorted(NAMES)
    mistakes = [exercise_of(path) for path in WRONG]
    assert {name: mistakes.count(name) >= 3 for name in NAMES} == dict.fromkeys(NAMES, True)
    assert {*mistakes, *map(exercise_of, RIGHT)} <= set(NAMES)
    for name in NAMES:
        exercise = COURSE.exercise(name)
        assert 2 <= len(exercise.hints) <= 4
        texts = [criterion.text for criterion in exercise.criteria]
        assert len(set(texts)) == len(texts)


def test_no_file_is_without_its_twin() -> None:
    folders = [COURSE.folder / name for name in ("solutions", "exercises")]
    names = [{path.name for path in folder.glob("*.ipynb")} for folder in folders]
    assert names[0] == names[1]
    topics = {name.partition("/")[0] for name in MASTERS}
    assert topics == set(COURSE.topics())


@pytest.mark.parametrize("topic", COURSE.topics())
def test_the_program_that_a_task_shows_is_the_one_that_is_judged(topic: str) -> None:
    """Where a check has a `THE_PROGRAM`, a learner is asked about that very text."""
    path = COURSE.folder / "exercises" / "checks" / f"{topic}.py"
    shown = re.search(r'^THE_PROGRAM = """\n(.*?)"""$', path.read_text(), re.MULTILINE | re.DOTALL)
    cells = [cell for file in (COURSE.folder / "exercises").glob("*.ipynb") for cell in texts(file)]
    assert shown is None or any(shown[1] in text for text in cells)


def texts(path: Path) -> list[str]:
    cells = notebooks.read(path)["cells"]
    return [notebooks.source(cell) for cell in cells if cell["cell_type"] == "markdown"]


@pytest.mark.parametrize("name", NAMES)
def test_no_hint_gives_the_code_away(name: str) -> None:
    lines = {line.strip() for line in MASTERS[name].text.splitlines() if len(line.strip()) > 20}
    for hint in COURSE.exercise(name).hints:
        assert not [line for line in lines if line in hint]
