"""`labkit film -- COMMAND…`: every system call that matters, one a line, and a film to keep."""

from __future__ import annotations

import argparse
import math
import os
import sys

from labkit.camera.stepping import Order, Standing
from labkit.errors import LabError
from labkit.film import Written
from labkit.programs import Command


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    parser.usage = "labkit film [options] -- COMMAND… [--and COMMAND…]"
    parser.add_argument(
        "-o",
        dest="file",
        metavar="FILE",
        help="save the film: .json, .json.gz, .html (plays) or .svg (a picture)",
    )
    parser.add_argument(
        "--turns",
        default="parent-first",
        metavar="RULE",
        help="who goes next: parent-first (default), child-first, alternate, or names: parent,child*2",
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="end after S seconds (default 30)"
    )
    parser.add_argument("--frames", type=int, default=20_000, metavar="N", help="end after N frames")
    parser.add_argument("--all-calls", action="store_true", help="also start-up, libraries and memory")
    parser.add_argument("--no-scenes", action="store_true", help="only the calls: faster, smaller")
    parser.add_argument(
        "--step", action="store_true", help="stand still before each call until told who goes"
    )
    parser.add_argument(
        "--slow", type=float, default=0.0, metavar="S", help="wait S seconds before each call"
    )
    parser.add_argument("--stdin", metavar="TEXT", help="what each program reads from its standard input")
    parser.add_argument("--json", action="store_true", help="print the film as JSON")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")


def run(options: argparse.Namespace) -> int:
    """Record, print, save. 1 when nobody could go on."""
    from labkit.camera import Camera, Options
    from labkit.camera.stepping import ByHand
    from labkit.camera.turns import Turns
    from labkit.film import SAVED_AS, Frame
    from labkit.scene import Scene

    commands = split(options.command)
    Turns(options.turns)
    if options.file and not options.file.endswith(SAVED_AS):
        raise LabError(f"A film is saved as {', '.join(SAVED_AS)}, and {options.file} is none of these.")
    _check(options)

    def show(frame: Frame, scene: Scene) -> None:
        if not options.json:
            print(frame.text, flush=True)

    how = Options(
        turns=options.turns,
        seconds=options.timeout,
        frames=options.frames,
        all_calls=options.all_calls,
        slow=options.slow,
        scenes=not options.no_scenes,
        stdin=options.stdin,
    )
    camera = ByHand(commands, how, show, _ask) if options.step else Camera(commands, how, show)
    if options.step:
        camera.on_written = _show_written
    film = camera.record()
    if options.file:
        film.save(options.file)
    if options.json:
        import json

        print(json.dumps(film.to_dict()))
    else:
        _report(film)
    if camera.interrupts.number is not None:
        return 128 + camera.interrupts.number
    return int(any(limit.what == "deadlock" for limit in film.limits))


def _check(options: argparse.Namespace) -> None:
    """Say before the recording what would be wrong after it."""
    if not (0 < options.timeout < math.inf and options.frames > 0):
        raise LabError("--timeout and --frames must be above 0.")
    if not 0 <= options.slow < math.inf:
        raise LabError("--slow wants how many seconds to wait before each call: 0.3, say.")
    folder = os.path.dirname(options.file or "") or os.curdir
    if options.file and not os.access(folder, os.W_OK | os.X_OK):
        raise LabError(f"The film could not be written to {options.file}: {folder} is no folder to write in.")


def _ask(standing: Standing) -> Order:
    """Show who could go, and read what is to be done."""
    from labkit.camera.stepping import Order, parse

    for who, text in standing.waiting.items():
        print(f"    {who} waits in {text}")
    for who, text in standing.could_go.items():
        print(f"  > {who}: {text}")
    while True:
        try:
            order = parse(input("step [who], block [who], run, quit: "))
        except EOFError:
            return Order("quit")
        except LabError as error:
            print(error)
            continue
        if order.who is None or order.who in standing.could_go:
            return order
        print(f"{order.who} cannot go now; {' or '.join(standing.could_go)} could.")


def _show_written(written: Written) -> None:
    for line in written.text.splitlines():
        print(f"{written.who} says: {line}")


def split(words: list[str]) -> list[Command]:
    """The commands after `--`, separated by `--and`."""
    if words[:1] == ["--"]:
        words = words[1:]
    groups: list[list[str]] = [[]]
    for word in words:
        if word == "--and":
            groups.append([])
        else:
            groups[-1].append(word)
    if not all(groups):
        raise LabError("Which command? Put it after --, as in: labkit film -- ./a.out --and ./b.out")
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise LabError("The current folder is there no more: go to another one (cd) first.") from None
    return [Command(argv=tuple(group), cwd=here, env=dict(os.environ)) for group in groups]


def _report(film: object) -> None:
    """Output, ends, leftovers and limits, after the frames."""
    from labkit.film import Film

    assert isinstance(film, Film)
    sys.stdout.flush()
    if film.output:
        print("\nOutput:")
        text = "".join(piece.text for piece in film.output)
        print("".join(f"  {line}\n" for line in text.splitlines()), end="")
    for line in film.left_behind:
        print(f"Left behind: {line}")
    for limit in film.limits:
        print(f"({limit.what}: {limit.because})")
