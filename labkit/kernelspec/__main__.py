"""`python -m labkit.kernelspec start …` is what Jupyter runs; `… install` tells Jupyter so."""

from __future__ import annotations

import sys

from labkit.errors import LabError
from labkit.kernelspec import installing, starting

_USAGE = "usage: python -m labkit.kernelspec start -f CONNECTION_FILE | install [PREFIX]"


def main(arguments: list[str]) -> int:
    """Run one of the two commands."""
    if arguments[:1] == ["start"]:
        return starting.start(arguments[1:])
    if arguments[:1] == ["within"]:
        starting.within(arguments[1:])
        return 0
    if arguments[:1] == ["install"] and len(arguments) <= 2:
        print(f"The kernel “Linux IPC” is in {installing.install(*arguments[1:])}")
        return 0
    print(_USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"labkit: {error}")
