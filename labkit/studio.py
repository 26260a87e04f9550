"""A process of its own in which a film is made or an exploration done: `python -m labkit.studio JOB RESULT`.

A conductor is a tracer: it needs a thread for itself, takes SIGCHLD and stays on one processor. So no
notebook is one. JOB is a file with the commands and options as JSON; RESULT is written when all is done;
what there is to tell on the way goes to the output, a line each.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from labkit.errors import LabError
from labkit.programs import Command


def job(kind: str, commands: Sequence[Command], **options: Any) -> str:
    """The text of a JOB file: `film`, `explore` or `replay`, and how."""
    plain = [{"argv": list(c.argv), "name": c.name, "cwd": c.cwd, "env": dict(c.env)} for c in commands]
    return json.dumps({"kind": kind, "commands": plain, "options": options})


def main(arguments: Sequence[str]) -> int:
    """Do a job."""
    path, result = arguments
    with open(path, encoding="utf-8") as file:
        what = json.load(file)
    commands = [Command(tuple(c["argv"]), c["name"], c["cwd"], c["env"]) for c in what["commands"]]
    try:
        found = _WORK[what["kind"]](commands, what["options"])
    except LabError as error:
        found = {"error": str(error)}
    with open(result, "w", encoding="utf-8") as file:
        json.dump(found, file)
    return 0


def _film(commands: Sequence[Command], options: dict[str, Any]) -> dict[str, Any]:
    from labkit.camera import Options, record

    told = options.pop("tell", False)
    return record(commands, Options(**options), _tell_frame if told else None).to_dict()


def _tell_frame(frame: Any, scene: Any) -> None:
    print(frame.text, flush=True)


def _explore(commands: Sequence[Command], options: dict[str, Any]) -> dict[str, Any]:
    from labkit.explore import Options, explore

    return explore(commands, Options(**options), _tell_progress).to_dict()


def _tell_progress(done: int, waiting: int) -> None:
    if done % 25 == 0:
        print(f"{done} {waiting}", flush=True)


def _replay(commands: Sequence[Command], options: dict[str, Any]) -> dict[str, Any]:
    from labkit.camera import record_schedule

    known = frozenset((kind, tuple(path)) for kind, path in options["known"])
    return record_schedule(commands, options["schedule"], known, options["exhaustive"]).to_dict()


def _step(commands: Sequence[Command], options: dict[str, Any]) -> dict[str, Any]:
    """Under somebody's hand: orders are lines of the input, what happens are lines of JSON."""
    from labkit.camera import Options
    from labkit.camera.stepping import Order, Standing, parse, record_by_hand

    def ask(standing: Standing) -> Order:
        shown = {"could_go": standing.could_go, "waiting": standing.waiting, "frames": standing.frames}
        print(json.dumps({"standing": shown, "scene": standing.scene.to_dict()}), flush=True)
        while line := sys.stdin.readline():
            try:
                return parse(line)
            except LabError as error:
                print(json.dumps({"sorry": str(error)}), flush=True)
        return Order("quit")

    next_picture = 0.0

    def tell(frame: Any, scene: Any) -> None:
        nonlocal next_picture
        message = {"frame": dataclasses.asdict(frame)}
        if time.monotonic() >= next_picture:  # nobody sees more of them, and each is long
            message["scene"] = scene.to_dict()
            next_picture = time.monotonic() + 0.05
        print(json.dumps(message), flush=True)

    def pass_on(written: Any) -> None:
        print(json.dumps({"written": dataclasses.asdict(written)}), flush=True)

    return record_by_hand(commands, ask, Options(**options), tell, pass_on).to_dict()


_WORK = {"film": _film, "explore": _explore, "replay": _replay, "step": _step}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
