"""What a terminal sees: `labkit COMMAND …`.

One file a command, imported only when it is asked for, so that `labkit xray` starts fast. Each has
`arguments(parser)` and `run(options) -> exit status`. 0: done. 1: it ran, and something is wrong (a
deadlock, a failed exercise). 2: wrong usage, with one line that says what and what to do.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys

from labkit.errors import LabError

COMMANDS = {
    "doctor": "what this machine can show, and what to do about what it can't",
    "xray": "processes and all they share, and who waits for whom",
    "film": "record a command, one system call a frame",
    "explore": "run a command under every order its processes could go in",
    "check": "check one learner's notebook",
    "grade": "check a class's notebooks",
    "build": "make exercises/ from solutions/",
    "enter": "step into a notebook's room",
    "clean": "remove what earlier programs left behind, after asking",
    "progress": "which exercises you have solved",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if not sys.platform.startswith("linux"):
        print(
            "labkit: this course looks into a running Linux kernel, and this is not Linux: "
            "use WSL 2, or a Linux container or virtual machine (see README.md).",
            file=sys.stderr,
        )
        return 2
    command = argv[0] if argv else None
    if command not in COMMANDS:
        return _usage(command)
    try:
        status = _run(command, argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except LabError as error:
        print(f"labkit {command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 141
    except OSError as error:
        if error.errno not in _UNWRITTEN or error.filename is not None:
            raise
        _drop_output()
        print(f"labkit {command}: the output could not be written: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: str, words: list[str]) -> int:
    module = importlib.import_module(f"labkit.cli.{command}")  # takes long enough to be interrupted
    parser = _Parser(prog=f"labkit {command}", description=COMMANDS[command])
    module.arguments(parser)
    return int(module.run(parser.parse_args(words)))


_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def _drop_output() -> None:
    """What is still to be written at the exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _usage(command: str | None) -> int:
    lines = [f"  labkit {name:<10}{about}" for name, about in COMMANDS.items()]
    listing = "\n".join(["labkit shows what the Linux kernel knows.", "", *lines])
    if command in ("--help", "-h", "help"):
        print(listing)
        return 0
    if command == "--version":
        from labkit import __version__

        print(f"labkit {__version__}")
        return 0
    problem = f"there is no command {command!r}." if command else "which command?"
    print(f"labkit: {problem} There are: {', '.join(COMMANDS)} (see labkit --help)", file=sys.stderr)
    return 2
