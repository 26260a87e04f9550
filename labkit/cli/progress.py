"""`labkit progress`: which exercises you have solved."""

from __future__ import annotations

import argparse

from labkit import progress
from labkit.exercises import Course


def arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    print(progress.table(Course.find()))
    return 0
