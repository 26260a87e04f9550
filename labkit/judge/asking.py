"""Having an answer judged: starts the judge's process, and hears its results one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.exercises import Course
from labkit.reports import Report, Result


def judge(
    course: Course, name: str, text: str, on_result: Callable[[Result], None] = lambda result: None
) -> Report:
    """Judge an answer's text. An exception here (an interrupt, say) ends the judging and all it started."""
    course.exercise(name)
    job = {
        "folder": str(course.folder),
        "checks": [str(p) for p in course.checks],
        "name": name,
        "text": text,
    }
    results = []
    with _judge_process() as (process, lines):
        process.stdin.write(json.dumps(job).encode() + b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        for line in lines:
            results.append(_received(line))
            on_result(results[-1])
        if process.wait() != 0:
            raise LabError(f"The judge of {name} ended unexpectedly (status {process.returncode}).")
    return Report(name, tuple(results))


def _received(line: bytes) -> Result:
    data = json.loads(line)
    if "problem" in data:
        raise LabError(data["problem"])
    return Result(**data)


@contextmanager
def _judge_process() -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    ours, theirs = os.pipe()
    argv = [sys.executable, "-m", "labkit.judge.judging", str(theirs)]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs],
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    with open(ours, "rb") as lines, process:
        try:
            yield process, lines
        finally:
            process.stdin.close()  # type: ignore[union-attr]
