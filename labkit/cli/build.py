"""`labkit build`: exercises/ from solutions/."""

from __future__ import annotations

import argparse

from labkit.building import build, drift, run_masters
from labkit.exercises import Course


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", action="store_true", help="run the masters first, and store what they print")
    parser.add_argument("--check", action="store_true", help="change nothing; say what is out of date")


def run(options: argparse.Namespace) -> int:
    folder = Course.find().folder
    solutions, exercises = folder / "solutions", folder / "exercises"
    if options.check:
        stale = drift(solutions, exercises)
        print("\n".join(stale) or "exercises/ is what solutions/ says.")
        return 1 if stale else 0
    if options.run:
        run_masters(solutions)
    for path in build(solutions, exercises):
        print(f"wrote {path.relative_to(folder)}")
    return 0
