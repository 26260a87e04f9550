"""The course's own notebooks: their stored outputs are what comes when they are run, and they are whole."""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LECTURES = sorted((ROOT / "notebooks").glob("*.ipynb"))
MASTERS = sorted((ROOT / "solutions").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))

SECTIONS = ["The idea", "The calls", "Claims checked", "In the wild", "Recap"]
"""What every lecture has, in this order; `00_start_here` is none."""
MOST_LINES = 25


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def lines(cell: dict[str, Any]) -> list[str]:
    return "".join(cell["source"]).splitlines()


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", [*LECTURES, *MASTERS], ids=named)
def test_it_runs_to_what_is_stored(path: Path) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(path)]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-6000:]


@pytest.mark.parametrize("path", LECTURES, ids=named)
def test_a_lecture_is_whole(path: Path) -> None:
    headings = [
        line[3:] for cell in cells(path, "markdown") for line in lines(cell) if line.startswith("## ")
    ]
    if path.stem != "00_start_here":
        assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    assert sum("Break it" in heading for heading in headings) >= 1
    said = "".join(json.dumps(cell) for cell in cells(path, "markdown"))
    assert said.count("**Predict.**") >= (1 if path.stem == "00_start_here" else 4)
    starts = [lines(cell)[0] for cell in cells(path, "code") if lines(cell)]
    assert any(start.startswith("%%c ") for start in starts)
    assert sum(start.startswith("%%") and start.endswith("&") for start in starts) >= 2


@pytest.mark.parametrize("path", LECTURES, ids=named)
def test_what_is_stored_is_real_and_nobody_s_machine(path: Path) -> None:
    for cell in cells(path, "code"):
        assert len(lines(cell)) <= MOST_LINES, lines(cell)[0]
        assert cell["execution_count"], lines(cell)[0]
        errors = [out for out in cell["outputs"] if out["output_type"] == "error"]
        assert not errors or "raises-exception" in cell["metadata"].get("tags", []), lines(cell)[0]
        for out in cell["outputs"]:
            if "image/svg+xml" in out.get("data", {}) or "widget" in json.dumps(list(out.get("data", {}))):
                assert "".join(out["data"]["text/plain"]).strip(), lines(cell)[0]
    text = path.read_text(encoding="utf-8")
    for word in (str(ROOT), str(Path.home()) + "/", "/bash_jobs", f"user {getpass.getuser()}"):
        assert word not in text, word


@pytest.mark.parametrize("path", EXERCISES, ids=named)
def test_the_exercises_of_a_notebook_are_worth_the_promise(path: Path) -> None:
    answers = [
        cell for cell in cells(path, "code") if lines(cell)[:1] and lines(cell)[0].startswith("%%exercise")
    ]
    said = json.dumps([cell["metadata"] for cell in answers])
    points = [int(found) for found in re.findall(r"\d+ of (\d+) points", said)]
    if path.stem == "00_start_here":
        assert len(answers) >= 1
        return
    assert 3 <= len(answers) <= 6
    assert len(points) == len(answers)
    assert 8 <= sum(points) <= 14
