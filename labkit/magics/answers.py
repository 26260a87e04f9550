"""`%%exercise`, `%hint`, `%solution`, `%reset_exercise`, `%progress`: to be judged, and to be helped.

The notebook's process only asks and prints: the judging is done elsewhere (`labkit.judge`).
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.reports import Result

_shell: Any = None


def load(shell: Any) -> None:
    """Give the notebook its magics."""
    global _shell
    _shell = shell
    shell.register_magic_function(exercise, "cell", "exercise")
    for magic in (hint, solution, reset_exercise, progress):
        shell.register_magic_function(magic, "line", magic.__name__)


def exercise(line: str, cell: str) -> None:
    """Judge this cell: print what holds and what doesn't."""
    from labkit import masters
    from labkit import progress as kept
    from labkit.exercises import Course
    from labkit.judge.asking import judge

    name = _name(line, "%%exercise")
    course = Course.find()
    course.exercise(name)
    print(name)
    try:
        report = judge(course, name, "\n" + cell, _print)
    except KeyboardInterrupt:
        print("Interrupted: nothing was marked.")
        return
    print(report.last_line())
    kept.judged(report, cell, masters.stub_mark(course, name))


def _print(result: Result) -> None:
    if not result.silent:
        print(result.text(), flush=True)


def hint(line: str) -> None:
    """Open the next hint of an exercise: `%hint TOPIC/NAME`."""
    from labkit import progress as kept
    from labkit.exercises import Course

    name = _name(line, "%hint")
    hints = Course.find().exercise(name).hints
    with kept.changing(name) as so_far:
        so_far.hints = min(so_far.hints + 1, len(hints))
        count = so_far.hints
    for number, text in enumerate(hints[:count], start=1):
        print(f"{number}. {text}")
    if count == len(hints):
        print("That was the last hint.")


def solution(line: str) -> None:
    """Show the master's answer, once yours is right or after three honest tries: `%solution TOPIC/NAME`."""
    from labkit import masters
    from labkit import progress as kept
    from labkit.exercises import Course

    name = _name(line, "%solution")
    course = Course.find()
    course.exercise(name)
    so_far = kept.read().get(name, kept.Progress())
    if not so_far.may_see_solution:
        left = kept.HONEST_TRIES - len(so_far.tries)
        raise LabError(
            f"The solution of {name} opens when you have solved it, or after {left} more "
            f"{'try' if left == 1 else 'different tries'} of your own. %hint {name} opens a hint."
        )
    theirs = masters.solution(course, name)
    print(theirs)
    _print_difference(so_far.last, theirs)


def _print_difference(mine: str, theirs: str) -> None:
    """How the two differ, line by line, when they do."""
    before, after = ([line.rstrip() for line in text.strip().splitlines()] for text in (mine, theirs))
    if before and before != after:
        print("\nFrom your last answer (-) to this one (+):")
        changes = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
        print("\n".join(line for line in changes if not line.startswith("@@")))


def reset_exercise(line: str) -> None:
    """Make the cell in which this is run the exercise's first version again: `%reset_exercise TOPIC/NAME`."""
    from labkit import masters
    from labkit.exercises import Course

    name = _name(line, "%reset_exercise")
    course = Course.find()
    course.exercise(name)
    _shell.set_next_input(masters.stub(course, name), replace=True)
    print("This cell is the exercise as it was. Of several cells for one exercise the first counts.")


def progress(line: str = "") -> None:
    """What you have solved so far."""
    from IPython.display import display

    from labkit import progress as kept
    from labkit.exercises import Course

    course = Course.find()
    display({"text/plain": kept.table(course), "text/html": kept.page(course, Path.cwd())}, raw=True)


def _name(line: str, magic: str) -> str:
    words = line.split()
    if len(words) != 1:
        raise LabError(f"{magic} needs the name of an exercise, for example: {magic} pipes/write_all")
    return words[0]
