"""Marks -> what instructors, Gradescope and learners read.

    gradebook.csv                      learner, exercise, points, out of, status, seconds, note
    gradescope/<learner>/results.json  as Gradescope's autograder takes it
    reports/<learner>.html             a page for the learner: every report, in words
    summary.txt                        the class at a glance

Everything is written anew each time, from all the marks there are, so that a second run changes nothing.
"""

from __future__ import annotations

import csv
import hashlib
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path

from labkit.grading.marks import Mark
from labkit.reports import printable

LONGEST = 200
"""Bytes of a name; a file's may have 255."""
COLUMNS = ("learner", "exercise", "points", "out of", "status", "seconds", "note")


def write(out: Path, marks: Sequence[Mark]) -> None:
    """All files of a class, in the order of the marks."""
    _replace(out / "gradebook.csv", _csv(marks))
    _replace(out / "summary.txt", summary(marks))
    for learner in dict.fromkeys(mark.learner for mark in marks):
        theirs = [mark for mark in marks if mark.learner == learner]
        name = file_name(learner)
        folder = out / "gradescope" / name
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "results.json", json.dumps(gradescope(theirs), indent=1, ensure_ascii=False))
        (out / "reports").mkdir(exist_ok=True)
        _replace(out / "reports" / f"{name}.html", page(learner, theirs))


def file_name(learner: str) -> str:
    """A learner's name, or as much of it as leaves room for an ending, and what tells it from others."""
    name = os.fsencode(learner)
    if len(name) <= LONGEST:
        return learner
    return os.fsdecode(name[:LONGEST]) + "-" + hashlib.sha256(name).hexdigest()[:16]


def _replace(path: Path, text: str) -> None:
    """A file that is whole whenever it is looked at."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(new, path)


def _csv(marks: Sequence[Mark]) -> str:
    lines: list[str] = []

    class Lines:
        def write(self, line: str) -> None:
            lines.append(line)

    writer = csv.writer(Lines(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for mark in marks:
        row = (mark.learner, mark.exercise, mark.points, mark.out_of, mark.status, mark.seconds, mark.note)
        writer.writerow([_inert(cell) for cell in row])
    return "".join(lines)


def _inert(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def gradescope(marks: Sequence[Mark]) -> dict[str, object]:
    """One learner's marks as Gradescope's `results.json`."""
    return {
        "score": sum(mark.points for mark in marks),
        "execution_time": round(sum(mark.seconds for mark in marks), 2),
        "output_format": "text",
        "tests": [
            {
                "name": mark.exercise,
                "score": mark.points,
                "max_score": mark.out_of,
                "status": "passed" if mark.status == "solved" else "failed",
                "output": mark.report,
                "output_format": "text",
            }
            for mark in marks
        ],
    }


def summary(marks: Sequence[Mark]) -> str:
    """The class at a glance: for each exercise how it went, and what an instructor should look at."""
    lines = []
    for name in dict.fromkeys(mark.exercise for mark in marks):
        theirs = [mark for mark in marks if mark.exercise == name]
        mean = sum(mark.points for mark in theirs) / len(theirs)
        counts = {mark.status: 0 for mark in theirs}
        for mark in theirs:
            counts[mark.status] += 1
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        lines.append(f"{name}: {mean:.1f} of {theirs[0].out_of} points on average; {said}")
    look: dict[str, list[str]] = {}
    for mark in marks:
        if mark.status in ("error", "unreadable"):
            who = printable(mark.learner, 60).replace("\n", "\\n")
            look.setdefault(f"Look at {who}: {mark.status}. {mark.note}", []).append(mark.exercise)
    lines += [f"{said} ({', '.join(names)})" for said, names in look.items()]
    return "\n".join(lines) + "\n"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52em; margin: 2em auto; padding: 0 1em;
       color-scheme: light dark; }}
pre {{ font-size: 14px; overflow-x: auto; padding: 1em; border: 1px solid #8886; border-radius: 4px; }}
td, th {{ text-align: left; padding: .1em 1em .1em 0; }}
</style>
<h1>{title}</h1>
<table><tr><th>exercise<th>points<th>status</tr>
{rows}
</table>
{reports}
</html>
"""


def page(learner: str, marks: Sequence[Mark]) -> str:
    """A page that the learner can read: points, and every report."""
    rows = [f"<tr><td>{html.escape(m.exercise)}<td>{m.points} of {m.out_of}<td>{m.status}" for m in marks]
    reports = [f"<h2>{html.escape(m.exercise)}</h2>\n<pre>{html.escape(m.report)}</pre>" for m in marks]
    points, out_of = sum(mark.points for mark in marks), sum(mark.out_of for mark in marks)
    return _PAGE.format(
        title=html.escape(f"{learner}: {points} of {out_of} points"),
        rows="\n".join(rows),
        reports="\n".join(reports),
    )
