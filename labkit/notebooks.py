"""Notebook files as plain data: read with suspicion, written as Jupyter writes them.

nbformat is not used: importing it takes seconds, and a submission need not be a valid notebook for its
answers to be found.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from labkit.errors import LabError

MOST_BYTES = 64 << 20
MOST_PARTS = 2_000_000
"""A list or dictionary takes fifty times the memory of its two brackets."""
_FIRST_LINE = re.compile(r"(\s*\n)?([ \t]*)%%exercise[ \t]+(\S+)[ \t]*\r?$", re.MULTILINE)
"""Empty lines may come first, and it may be indented: IPython does not mind."""

Cell = dict[str, Any]


class AnswerCell(NamedTuple):
    """A cell that answers an exercise."""

    exercise: str
    text: str
    """With the line numbers of its cell: line 1, `%%exercise …`, is empty."""
    cell: Cell


def read(path: Path, most: int = MOST_BYTES) -> dict[str, Any]:
    """The notebook in a file, or a LabError that says why it is none."""
    data = _contents(path, most + 1)
    if len(data) > most:
        raise LabError(f"{path} is larger than {most >> 20} MB: clear its outputs.")
    if sum(map(data.count, (b"[", b"{", b","))) > MOST_PARTS:
        raise LabError(f"{path} has more than {MOST_PARTS} parts: clear its outputs.")
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LabError(f"{path} is not a notebook: it is not JSON ({str(error)[:80]}).") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise LabError(f"{path} is not a notebook (of version 4): it has no list of cells.")
    return notebook


def _contents(path: Path, most: int) -> bytes:
    """The beginning of a regular file; a FIFO, say, would keep us waiting."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise LabError(f"{path} cannot be read: it is no regular file.")
            return file.read(most)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from None


def write(path: Path, notebook: dict[str, Any]) -> None:
    """Write a notebook as Jupyter would, byte for byte."""
    path.write_text(as_text(notebook), encoding="utf-8")


def as_text(notebook: dict[str, Any]) -> str:
    """A notebook as the text of its file."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def source(cell: Cell) -> str:
    """A cell's text, whether it is kept as one string or as a list of lines."""
    kept = cell.get("source", "")
    if isinstance(kept, list):
        kept = "".join(line for line in kept if isinstance(line, str))
    return _writable(kept) if isinstance(kept, str) else ""


def _writable(text: str) -> str:
    """Text without halves of characters, which JSON can hold and no file can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def lines(text: str) -> list[str]:
    """Text as Jupyter keeps it: a list of lines with their ends."""
    return text.splitlines(keepends=True)


def answers(notebook: dict[str, Any]) -> dict[str, AnswerCell]:
    """The answers by exercise; of several to one exercise the first counts."""
    found: dict[str, AnswerCell] = {}
    for answer in all_answers(notebook):
        found.setdefault(answer.exercise, answer)
    return found


def all_answers(notebook: dict[str, Any]) -> Iterator[AnswerCell]:
    """Every cell that answers an exercise, in order."""
    for cell in notebook["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            text = source(cell)
            if match := _FIRST_LINE.match(text):
                above = "\n" * text.count("\n", 0, match.end())
                yield AnswerCell(match[3], above + _indented_less(text[match.end() :], match[2]), cell)


def _indented_less(text: str, space: str) -> str:
    """Text without so much space before its lines, as IPython takes it away when the first line has it."""
    return text.replace(f"\n{space}", "\n") if space else text


def about(cell: Cell) -> dict[str, Any]:
    """A cell's metadata of ours."""
    metadata = cell.get("metadata")
    kept = metadata.get("labkit") if isinstance(metadata, dict) else None
    return kept if isinstance(kept, dict) else {}


def printed(cell: Cell) -> str:
    """What a code cell's stored outputs say on standard output."""
    outputs = cell.get("outputs")
    texts = [
        source({"source": output.get("text", "")})
        for output in (outputs if isinstance(outputs, list) else [])
        if isinstance(output, dict) and output.get("output_type") == "stream"
    ]
    return "".join(texts)


def stream(text: str) -> list[dict[str, Any]]:
    """Outputs that say this on standard output."""
    return [{"name": "stdout", "output_type": "stream", "text": lines(text)}] if text else []
