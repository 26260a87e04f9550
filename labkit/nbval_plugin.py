"""What `pytest --nbval` lacks to be trusted with our notebooks; a pytest plugin.

Some facts about nbval 0.11:

- It passes a cell that never ran: no execution count, no comparison.
- Its kernels inherit PYTEST_CURRENT_TEST, and ipykernel then leaves the output of child processes to
  the terminal, where nobody reads it.
- The sanitize file is an option; without it every pid is a difference.

What follows for us: an exercise's expected report (`labkit.expected`) becomes the stored output of a cell
that has run, so that an unsolved exercise fails; kernels start without that variable; our own sanitize
file is used unless another is named; tests are no part of anybody's progress. With LABKIT_OUTCOMES set,
what each cell printed is written there.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from labkit import notebooks

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")

PICTURES = ("image/svg+xml",)
"""Not compared: another graphviz draws other curves, and the text beside each picture says the same."""


class Notebook(IPyNbFile):  # type: ignore[misc]
    """A notebook of the course, as tests."""

    def setup(self) -> None:
        self.skip_compare: tuple[str, ...] = (*self.skip_compare, *PICTURES)
        current = os.environ.pop("PYTEST_CURRENT_TEST", None)
        data = os.environ.get("LABKIT_DATA")
        self._data = tempfile.TemporaryDirectory(prefix="labkit-data-")
        os.environ["LABKIT_DATA"] = self._data.name
        try:
            super().setup()
        finally:
            _restore("PYTEST_CURRENT_TEST", current)
            _restore("LABKIT_DATA", data)

    def teardown(self) -> None:
        super().teardown()
        self._data.cleanup()

    def get_sanitize_files(self) -> list[str]:
        return super().get_sanitize_files() or [str(SANITIZE)]

    def collect(self) -> Iterable[Any]:
        for item in super().collect():
            expect(item.cell)
            yield item


def _restore(variable: str, value: str | None) -> None:
    os.environ.pop(variable, None)
    if value is not None:
        os.environ[variable] = value


def expect(cell: Any) -> None:
    """Give an answer's cell the report of a right answer as its stored output."""
    expected = notebooks.about(cell).get("expected")
    if isinstance(expected, str):
        from nbformat import from_dict

        cell.outputs = from_dict(notebooks.stream(expected))  # type: ignore[no-untyped-call]
        for output in cell.outputs:
            output.text = expected
        cell.execution_count = 1


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: Any) -> Generator[None, list[Any], list[Any]]:
    found = yield
    return [
        Notebook.from_parent(parent, path=file_path) if type(collector) is IPyNbFile else collector
        for collector in found
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    report = yield
    target = os.environ.get("LABKIT_OUTCOMES")
    if target and call.when == "call" and isinstance(item, IPyNbCell):
        outcome = {"source": item.cell.source, "passed": report.passed, "printed": _printed(item)}
        with open(target, "a", encoding="utf-8") as file:
            print(json.dumps(outcome), file=file)
    return report


def _printed(item: Any) -> str:
    outputs = item.test_outputs or []
    texts = [str(output.get("text", output.get("evalue", ""))) for output in outputs]
    return "".join(texts)
