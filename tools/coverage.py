"""Where each lecture item is taught: `python tools/coverage.py` makes docs/coverage.md from coverage.toml.

With `--check` it changes nothing, and says what is wrong: a heading or an exercise that does not exist, an
item that nothing teaches, a page that is out of date.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import notebooks
from labkit.exercises import Course

ROOT = Path(__file__).resolve().parents[1]
MADE = (
    "Made by `tools/coverage.py` from `coverage.toml`; a test checks that every heading and every exercise "
    "named here exists. L0 to L4 are the five lectures."
)
KINDS = {"item": "", "demo": "seen live: ", "wrong": "set right: ", "more": "added: "}
"""What an entry may be, and how the page says so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the page."""

    kind: str
    text: str
    lectures: str
    at: tuple[str, ...]
    exercises: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook of the course, and what it is to teach."""

    file: str
    entries: tuple[Entry, ...]

    @property
    def path(self) -> Path:
        return ROOT / "notebooks" / f"{self.file}.ipynb"

    def headings(self) -> set[str]:
        """The headings of its text cells."""
        cells = notebooks.read(self.path)["cells"]
        texts = [notebooks.source(cell) for cell in cells if cell["cell_type"] == "markdown"]
        plain = [text for whole in texts for text in whole.split("```")[::2]]  # not what is fenced off
        return set(re.findall(r"^#+ +(.*\S)", "\n".join(plain), re.MULTILINE))


def read(path: Path) -> list[Notebook]:
    """The data."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Notebook(row["file"], tuple(_entry(item) for item in row["items"])) for row in data["notebook"]]


def _entry(row: dict[str, object]) -> Entry:
    kind, *others = [key for key in row if key in KINDS]
    unknown = set(row) - {kind, "lectures", "at", "exercises"}
    if others or unknown:
        raise ValueError(f"This entry has too many keys: {row}")
    at, exercises = row.get("at", []), row.get("exercises", [])
    assert isinstance(at, list)
    assert isinstance(exercises, list)
    return Entry(kind, str(row[kind]), str(row.get("lectures", "")), tuple(at), tuple(exercises))


# --- what is wrong ----------------------------------------------------------------------------------


def problems(course: list[Notebook], known: set[str]) -> Iterator[str]:
    """What does not fit the notebooks and exercises that are there, a sentence each."""
    named = {name for notebook in course for entry in notebook.entries for name in entry.exercises}
    there = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    if missing := there - {notebook.file for notebook in course}:
        yield f"No item is listed for: {', '.join(sorted(missing))}."
    if missing := known - named:
        yield f"These exercises practise no item: {', '.join(sorted(missing))}."
    for notebook in course:
        headings = notebook.headings() if notebook.path.exists() else set()
        for entry in notebook.entries:
            yield from _problems(notebook, entry, headings, known)


def _problems(notebook: Notebook, entry: Entry, headings: set[str], known: set[str]) -> Iterator[str]:
    where = f"{notebook.file}, {entry.text!r}"
    if headings and not entry.at:
        yield f"{where}: the notebook is there, and no heading is named."
    for heading in entry.at:
        if heading not in headings:
            yield f"{where}: there is no heading {heading!r}."
    for name in entry.exercises:
        if name not in known:
            yield f"{where}: there is no exercise {name!r}."


# --- the page ---------------------------------------------------------------------------------------


def page(course: list[Notebook]) -> str:
    """docs/coverage.md."""
    there = [notebook for notebook in course if notebook.path.exists()]
    lines = [
        "# Where each lecture item is taught",
        "",
        MADE,
        "",
        f"{len(there)} of {len(course)} notebooks are there. What the others are to teach is listed, too.",
    ]
    for notebook in course:
        lines += ["", *_section(notebook)]
    return "\n".join(lines) + "\n"


def _section(notebook: Notebook) -> Iterator[str]:
    if not notebook.path.exists():
        yield f"## {notebook.file}: not yet taught"
        yield ""
        yield from (f"- {_what(entry)}" for entry in notebook.entries)
        return
    yield f"## [{notebook.file}](../notebooks/{notebook.file}.ipynb)"
    yield ""
    yield "| item | taught in | practised in |"
    yield "|---|---|---|"
    for entry in notebook.entries:
        practised = ", ".join(f"`{name}`" for name in entry.exercises)
        yield f"| {_what(entry).replace('|', chr(92) + '|')} | {'; '.join(entry.at)} | {practised} |"


def _what(entry: Entry) -> str:
    return f"{KINDS[entry.kind]}{entry.text}{f' ({entry.lectures})' if entry.lectures else ''}"


def main(arguments: list[str]) -> int:
    course = read(ROOT / "docs" / "coverage.toml")
    target = ROOT / "docs" / "coverage.md"
    found = list(problems(course, set(Course(ROOT).names())))
    if "--check" not in arguments and not found:
        target.write_text(page(course), encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != page(course):
        found.append("docs/coverage.md is out of date: run python tools/coverage.py.")
    print("\n".join(found) or "docs/coverage.md says what is so.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
