"""Exercises from masters: `solutions/NN_topic.ipynb` -> `exercises/NN_topic.ipynb`.

A master's answer cell has its solution between two lines that contain `### BEGIN SOLUTION` and
`### END SOLUTION` (nbgrader's marks). In the exercise they are replaced by what stands, commented out,
behind a line `### STUB` between them; or, without one, by a line that says where to write.

The exercise keeps in a cell's metadata what a right answer's report says (`labkit.expected`, taken from
the master's stored output) and a fingerprint of the stub (`labkit.stub`): a cell whose text has another
fingerprint was answered, and an answer is never overwritten.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from labkit import notebooks
from labkit.errors import LabError
from labkit.notebooks import Cell

BEGIN, END, STUB = "### BEGIN SOLUTION", "### END SOLUTION", "### STUB"


def built(master: dict[str, Any], existing: dict[str, Any] | None = None) -> dict[str, Any]:
    """The exercise notebook of a master; answers in an existing one are kept."""
    kept = {id_: cell for id_, cell in _by_id(existing).items() if answered(cell)}
    notebook = {key: copy.deepcopy(value) for key, value in master.items() if key != "cells"}
    notebook["cells"] = [_with_answer(_exercise_cell(cell), kept) for cell in master["cells"]]
    return notebook


def differences(master: dict[str, Any], existing: dict[str, Any]) -> list[str]:
    """What differs between an exercise notebook and its master, in words; answers do not count."""
    theirs = _by_id(existing)
    found = []
    for cell in built(master)["cells"]:
        other = theirs.get(cell["id"])
        if other is None:
            found.append(f"cell {cell['id']} is missing")
        elif notebooks.about(other) != notebooks.about(cell):
            found.append(f"cell {cell['id']} was built from an older master")
        elif not answered(other) and notebooks.source(other) != notebooks.source(cell):
            found.append(f"the text of cell {cell['id']} differs")
    return found


def answered(cell: Cell) -> bool:
    """True when a learner has changed the cell."""
    stub = notebooks.about(cell).get("stub")
    return stub is not None and stub != fingerprint(notebooks.source(cell))


def fingerprint(text: str) -> str:
    """A short hash of a stub; spaces at the ends of lines don't count."""
    plain = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def stub(text: str) -> str:
    """A master cell's text without its solution."""
    made: list[str] = []
    solution: list[str] | None = None
    for line in text.splitlines():
        if BEGIN in line:
            solution = []
        elif END in line and solution is not None:
            made += _replacement(solution, line)
            solution = None
        elif solution is not None:
            solution.append(line)
        else:
            made.append(line)
    if solution is not None:
        raise LabError(f"A solution begins and never ends: {END} is missing after {text.splitlines()[0]!r}.")
    return "\n".join(made)


def _replacement(solution: list[str], end: str) -> list[str]:
    marks = [number for number, line in enumerate(solution) if STUB in line]
    if marks:
        return [_uncommented(line) for line in solution[marks[0] + 1 :]]
    space = end[: len(end) - len(end.lstrip())]
    return [f"{space}# Your code here.", f"{space}pass"]


def _uncommented(line: str) -> str:
    return re.sub(r"^(\s*)(?:#|//) ?", r"\1", line).rstrip()


def _exercise_cell(cell: Cell) -> Cell:
    made = copy.deepcopy(cell)
    if made["cell_type"] != "code":
        return made
    made |= {"outputs": [], "execution_count": None}
    name = next((answer.exercise for answer in notebooks.all_answers({"cells": [cell]})), None)
    if name is None:
        return made
    text = stub(notebooks.source(cell))
    if BEGIN not in notebooks.source(cell):
        raise LabError(f"The master of {name} has no {BEGIN} … {END}.")
    expected = notebooks.printed(cell)
    if not expected:
        raise LabError(f"The master of {name} has no stored output: run it first (labkit build --run).")
    made["source"] = notebooks.lines(text)
    about = {"exercise": name, "expected": expected, "stub": fingerprint(text)}
    made["metadata"] = {**cell.get("metadata", {}), "labkit": about}
    return made


def _with_answer(cell: Cell, kept: dict[str, Cell]) -> Cell:
    old = kept.get(cell["id"])
    if old is None or "stub" not in notebooks.about(cell):
        return cell
    return cell | {key: old[key] for key in ("source", "outputs", "execution_count") if key in old}


def _by_id(notebook: dict[str, Any] | None) -> dict[str, Cell]:
    cells = notebook["cells"] if notebook else []
    return {cell["id"]: cell for cell in cells if isinstance(cell, dict) and "id" in cell}


def build(solutions: Path, exercises: Path) -> list[Path]:
    """Make every exercise notebook; returns those that changed."""
    changed = []
    for path in sorted(solutions.glob("*.ipynb")):
        target = exercises / path.name
        old = target.read_text(encoding="utf-8") if target.exists() else None
        existing = notebooks.read(target) if old is not None else None
        text = notebooks.as_text(built(notebooks.read(path), existing))
        if text != old:
            target.write_text(text, encoding="utf-8")
            changed.append(target)
    return changed


def drift(solutions: Path, exercises: Path) -> list[str]:
    """What is out of date in the exercise notebooks, a line each; nothing when all is well."""
    found = []
    masters = {path.name for path in solutions.glob("*.ipynb")}
    for name in sorted(masters | {path.name for path in exercises.glob("*.ipynb")}):
        if name not in masters:
            found.append(f"exercises/{name} has no master in solutions/")
        elif not (exercises / name).exists():
            found.append(f"solutions/{name} has no exercise notebook: run labkit build")
        else:
            pair = notebooks.read(solutions / name), notebooks.read(exercises / name)
            found += [f"exercises/{name}: {what}" for what in differences(*pair)]
    return found


def run_masters(solutions: Path) -> None:
    """Run every master from top to bottom, and keep its outputs in it."""
    import nbformat
    from nbclient import NotebookClient

    for path in sorted(solutions.glob("*.ipynb")):
        notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        here = {"metadata": {"path": str(solutions)}}
        NotebookClient(notebook, resources=here, record_timing=False, coalesce_streams=True).execute()
        notebook.metadata.pop("language_info", None)
        notebooks.write(path, json.loads(nbformat.writes(notebook)))  # type: ignore[no-untyped-call]
