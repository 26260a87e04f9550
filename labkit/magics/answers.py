"""`%%exercise`, `%hint`, `%solution`, `%reset_exercise`: what a learner types to be judged and helped.

The notebook's process only asks and prints: the judging is done elsewhere (`judging.py`).
"""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError


def load(shell: Any) -> None:
    """Give the notebook its magics."""
    shell.register_magic_function(exercise, "cell", "exercise")
    shell.register_magic_function(hint, "line", "hint")


def exercise(line: str, cell: str) -> None:
    """Judge this cell: print what holds and what doesn't."""
    from labkit.exercises import Course
    from labkit.judge.asking import judge

    name = _name(line, "%%exercise")
    course = Course.find()
    course.exercise(name)
    print(name)
    try:
        report = judge(course, name, as_text(cell), lambda result: print(result.text(), flush=True))
    except KeyboardInterrupt:
        print("Interrupted: nothing was marked.")
        return
    print(report.last_line())


def as_text(cell: str) -> str:
    """An answer's text with the line numbers of its cell: `%%exercise` is line 1."""
    return "\n" + cell


_opened: dict[str, int] = {}


def hint(line: str) -> None:
    """Open the next hint of an exercise; `%hint TOPIC/NAME`."""
    from labkit.exercises import Course

    name = _name(line, "%hint")
    hints = Course.find().exercise(name).hints
    count = min(_opened.get(name, 0) + 1, len(hints))
    _opened[name] = count
    for number, text in enumerate(hints[:count], start=1):
        print(f"{number}. {text}")
    if count == len(hints):
        print("That was the last hint.")


def _name(line: str, magic: str) -> str:
    words = line.split()
    if len(words) != 1:
        raise LabError(f"{magic} needs the name of an exercise, for example: {magic} pipes/write_all")
    return words[0]
