"""A process that has one answer after the other judged: `python -m labkit.grading.worker FD`.

It has everything imported, and forks a judge for each answer, because a new Python takes longer than
most judging. The judge is the worker's child and reports through a pipe that only the two have. The worker
ends with whoever started it, the judge with the worker, the answer's room with the judge.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.exercises import Course, Exercise
from labkit.judge import judging, sandbox
from labkit.judge.sandbox import Wall
from labkit.kernel import syscalls
from labkit.xray import XRay

STARTING_S = 30
"""On top of its criteria's own limits, the time that judging an answer may take."""


def main() -> None:
    """Answer every job (a line of JSON on standard input) with a line of JSON."""
    syscalls.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(int(sys.argv[1]), "w")
    os.set_inheritable(replies.fileno(), False)
    XRay().look(os.getpid())  # so that what it needs is imported before the first fork
    for line in sys.stdin:
        print(json.dumps(_judged(json.loads(line))), file=replies, flush=True)


def _judged(job: dict[str, Any]) -> dict[str, Any]:
    """The results of a job, or why there are none."""
    course = Course(Path(job["folder"]), tuple(Path(path) for path in job["checks"]))
    started = time.monotonic()
    try:
        exercise = course.exercise(job["name"])
        outcome = _in_a_judge(exercise, job)
    except LabError as error:
        outcome = {"problem": str(error)}
    return outcome | {"seconds": time.monotonic() - started}


def _in_a_judge(exercise: Exercise, job: dict[str, Any]) -> dict[str, Any]:
    ours, theirs = os.pipe()
    judge = os.fork()
    if judge == 0:
        os.close(ours)
        _judge(exercise, job, theirs)
    os.close(theirs)
    limit = STARTING_S + sum(criterion.seconds + 2 for criterion in exercise.criteria)
    try:
        said = _read_all(ours, time.monotonic() + limit)
    finally:
        os.close(ours)
        os.kill(judge, signal.SIGKILL)
        os.waitpid(judge, 0)
    if said is None:
        return {"problem": f"Judging it took longer than {limit:g} seconds."}
    return _parsed(said)


def _parsed(said: bytes) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.loads(said)
        return outcome
    except ValueError:
        return {"problem": "Its judge ended without a verdict."}


def _judge(exercise: Exercise, job: dict[str, Any], report: int) -> None:
    """Become the judge of one answer. Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        os.setsid()
        os.set_inheritable(report, False)
        syscalls.become_subreaper()
        with open(report, "w") as file:
            json.dump(_verdict(exercise, job), file)
        os._exit(0)
    finally:
        os._exit(1)


def _verdict(exercise: Exercise, job: dict[str, Any]) -> dict[str, Any]:
    try:
        found = judging.results(exercise, job["text"], walls=_walls(job))
        return {"results": [judging.plain(result) for result in found]}
    except LabError as error:
        return {"problem": str(error)}


def _walls(job: dict[str, Any]) -> Iterator[Wall]:
    """The strict wall and no other, unless the grader was told to do without."""
    walls = sandbox.walls(job["slot"], tuple(job["hidden"]))
    return walls if job["no_sandbox"] else (wall for wall in walls if wall.name == "strict")


def _read_all(fd: int, deadline: float) -> bytes | None:
    data = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return None
        piece = os.read(fd, 65536)
        if not piece:
            return bytes(data)
        data += piece


if __name__ == "__main__":
    main()
