"""`labkit explore -- COMMAND…`: every outcome, over every order in which its processes could go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labkit.camera import replay
from labkit.cli.film import split
from labkit.draw import outcomes
from labkit.errors import LabError
from labkit.exploration import Exploration, describe
from labkit.explore import Options, explore
from labkit.film import SAVED_AS
from labkit.programs import Command


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    parser.usage = "labkit explore [options] -- COMMAND… [--and COMMAND…]"
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    parser.add_argument("--max", type=int, metavar="N", help="stop after N orders (and say so)")
    parser.add_argument("--exhaustive", action="store_true", help="brute force: leave no order out")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="end a schedule after S seconds"
    )
    parser.add_argument("--stdin", metavar="TEXT", help="what each program reads from its standard input")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="how many at the same time (default: all processors)"
    )
    parser.add_argument(
        "-o",
        dest="file",
        metavar="FILE",
        help="save the outcomes (.json, .svg), or the film of one of them (.html, .json.gz)",
    )
    parser.add_argument(
        "--outcome", type=int, default=1, metavar="K", help="which outcome -o films (default 1)"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")


def run(options: argparse.Namespace) -> int:
    """Explore, print, save. 1 when some outcome is a deadlock, a crash or no end."""
    commands = split(options.command)
    for value, name in ((options.max, "--max"), (options.jobs, "--jobs"), (options.timeout, "--timeout")):
        if value is not None and value <= 0:
            raise LabError(f"{name} must be above 0.")
    if options.file and not options.file.endswith(SAVED_AS):
        raise LabError(f"-o takes {', '.join(SAVED_AS)}, and {options.file} is none of these.")
    how = Options(
        exhaustive=options.exhaustive,
        most=options.max,
        seconds=options.timeout,
        jobs=options.jobs,
        stdin=options.stdin,
    )
    with _progress(options.json) as told:
        found = explore(commands, how, told)
    if options.json:
        print(json.dumps(found.to_dict()))
    else:
        print(describe(found))
    if options.file:
        _save(options, commands, found)
    return int(found.wrong)


def _save(options: argparse.Namespace, commands: list[Command], found: Exploration) -> None:
    if options.file.endswith((".json", ".svg")):
        drawn = options.file.endswith(".svg")
        try:
            with open(options.file, "w", encoding="utf-8") as file:
                file.write(outcomes(found) + "\n" if drawn else json.dumps(found.to_dict()))
        except OSError as error:
            raise LabError(f"{options.file} could not be written: {error.strerror}.") from None
        return
    if not 1 <= options.outcome <= len(found.outcomes):
        raise LabError(
            f"There are {len(found.outcomes)} outcomes: --outcome {options.outcome} is none of them."
        )
    replay(commands, found, found.outcomes[options.outcome - 1]).save(options.file)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A line that says how far it is, where a person watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, waiting: None
        return
    shown = 0

    def show(done: int, waiting: int) -> None:
        nonlocal shown
        if done >= shown + 10:
            shown = done
            print(f"\r{done:,} orders, at least {waiting:,} more ", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
