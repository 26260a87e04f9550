"""`labkit check NOTEBOOK`: one learner's notebook, through nbval."""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit.checking import check
from labkit.exercises import Course


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", type=Path, help="an exercise notebook, solved or not")


def run(options: argparse.Namespace) -> int:
    found = check(Course.find(), options.notebook)
    for exercise in found:
        if not exercise.passed:
            print(exercise.said)
    for exercise in found:
        print(f"{'✓' if exercise.passed else '✗'} {exercise.exercise}")
    solved = sum(exercise.passed for exercise in found)
    print(f"{solved} of {len(found)} exercises solved.")
    return 0 if solved == len(found) else 1
