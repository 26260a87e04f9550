"""The table of what is taught where: it names what exists, leaves nothing out, and is up to date."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.exercises import Course

ROOT = Path(__file__).parents[1]


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("coverage_tool", ROOT / "tools" / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


coverage = tool()
COURSE = coverage.read(ROOT / "docs" / "coverage.toml")
EXERCISES = set(Course(ROOT).names())


def spoilt(file: str, **changes: Any) -> list[str]:
    """What is found when the first entry of a notebook is changed."""
    course = list(COURSE)
    at = next(number for number, notebook in enumerate(course) if notebook.file == file)
    first, *others = course[at].entries
    course[at] = replace(course[at], entries=(replace(first, **changes), *others))
    return list(coverage.problems(course, EXERCISES))


def test_every_heading_and_every_exercise_that_is_named_exists() -> None:
    assert list(coverage.problems(COURSE, EXERCISES)) == []


def test_all_eighteen_are_listed_in_order() -> None:
    assert [notebook.file[:2] for notebook in COURSE] == [f"{number:02}" for number in range(18)]


def test_the_page_is_what_the_data_says() -> None:
    assert (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8") == coverage.page(COURSE)


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("04_pipes", {"at": ("11. No such heading",)}, "no heading '11. No such heading'"),
        ("04_pipes", {"at": ()}, "no heading is named"),
        ("04_pipes", {"exercises": ("pipes/no_such",)}, "no exercise 'pipes/no_such'"),
        ("05_pipelines", {"at": ("The idea",)}, "no heading 'The idea'"),
        ("00_start_here", {"exercises": ()}, "practise no item: start_here/hello"),
    ],
)
def test_what_does_not_exist_is_found(file: str, changes: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in spoilt(file, **changes))


def test_a_stale_page_fails_the_check_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = tmp_path / "docs" / "coverage.md"
    page.write_text(page.read_text(encoding="utf-8").replace("The end", "The start"), encoding="utf-8")
    monkeypatch.setattr(coverage, "ROOT", tmp_path)
    assert coverage.main(["--check"]) == 1
    assert coverage.main([]) == 0
    assert coverage.main(["--check"]) == 0


def test_the_map_of_the_first_notebook_says_which_are_there() -> None:
    text = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    rows = re.findall(r'"\| (\d\d) \| (.*?) \| (.*?) \| .*? \|(?:\\n)?"', text)
    assert [number for number, _, _ in rows] == [notebook.file[:2] for notebook in COURSE]
    for notebook, (_, title, exercises) in zip(COURSE, rows, strict=True):
        there = notebook.path.exists()
        assert (f"({notebook.file}.ipynb)" in title or "this page" in title) == there
        assert (f"(../exercises/{notebook.file}.ipynb)" in exercises) == there
        assert ("to come" in exercises) != there
