"""`labkit clean`: what earlier programs left behind; removed after asking.

What is known to be of a notebook's programs goes by itself, at the latest here. What is only suspected
(the same user's, and born while programs ran) is listed, and removed if you say so.
"""

from __future__ import annotations

import argparse
import sys

from labkit.kernel import remains
from labkit.kernel.remains import Thing
from labkit.owner import inheriting, journal
from labkit.owner.journal import Journal


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    parser.add_argument("-y", "--yes", action="store_true", help="remove what is listed without asking")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only list; remove nothing")


def run(options: argparse.Namespace) -> int:
    """List, ask, remove. 0: nothing is left. 1: something was left where it is."""
    if not options.dry_run:
        inheriting.sweep()
    found = [(word, word.still_suspected()) for word in journal.abandoned()]
    things = [thing for _, suspected in found for thing in suspected]
    if not things:
        print("Nothing is left of earlier programs.")
        return 0
    print("These came into being while programs of a notebook ran. They may be theirs, or somebody else's:")
    for thing in things:
        print(f"  {thing}")
    if options.dry_run or not (options.yes or _agreed(len(things))):
        print("Nothing was removed.")
        return 1
    return _remove(found)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        print("To remove them: labkit clean --yes")
        return False
    these = "it" if count == 1 else f"all {count}"
    return input(f"Remove {these}? [y/N] ").strip().lower() in ("y", "yes")


def _remove(found: list[tuple[Journal, list[Thing]]]) -> int:
    left = 0
    for word, suspected in found:
        for thing in suspected:
            if remains.remove(thing):
                print(f"removed: {thing}")
            else:
                left += 1
                print(f"could not be removed: {thing}")
        word.close()
    return 1 if left else 0
