"""Having an answer judged: starts the judge's process, and hears its results one by one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from labkit.errors import LabError
from labkit.exercises import Course
from labkit.reports import Report, Result

PATH = str(Path(__file__).resolve().parents[2])
PATIENCE_S = 30
"""How long a judge may take to clear away what an answer has started."""


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
    with tempfile.TemporaryFile() as complaints, _judge_process(complaints) as (process, lines):
        assert process.stdin is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        for line in lines:
            results.append(_received(line))
            on_result(results[-1])
        if process.wait() != 0:
            raise LabError(f"The judge of {name} ended unexpectedly{_last_line(complaints)}.")
    return Report(name, tuple(results))


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").strip().splitlines()
    return f": {said[-1]}" if said else ""


def _received(line: bytes) -> Result:
    data = json.loads(line)
    if "problem" in data:
        raise LabError(data["problem"])
    return Result(**data)


@contextmanager
def _judge_process(complaints: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The judge's process and its results; when the block ends, so has the judge, and all it started."""
    ours, theirs = os.pipe()
    argv = [sys.executable, "-m", "labkit.judge.judging", str(theirs)]
    with open(ours, "rb") as lines:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints, pass_fds=[theirs],
                start_new_session=True, cwd="/", env=os.environ | {"PYTHONPATH": PATH},
            )  # fmt: skip
        finally:
            os.close(theirs)
        try:
            yield process, lines
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Hang up, and wait until the judge has cleared away everything; a second interrupt ends the waiting."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(PATIENCE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
