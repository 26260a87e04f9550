"""An answer -> a report, found out in a process of its own.

`judge` starts `python -m labkit.judging`, which reads the job on its standard input and writes each
result, when it is there, on a descriptor that nobody else has. That process never runs, imports or
unpickles anything of the answer's. It is the ancestor and subreaper of everything the answer starts; when
its standard input ends, because whoever asked is gone or lost interest, it ends everything and itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.answers import Answer
from labkit.cage import Cage
from labkit.errors import LabError
from labkit.exercises import Course, Criterion, Exercise, Failed
from labkit.kernel import syscalls
from labkit.reports import Report, Result
from labkit.running import sleeping_in

TIDY = "leaves nothing behind"


class Abandoned(Exception):
    """Whoever asked is gone."""


# --- for whoever asks -------------------------------------------------------------------------------


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
    argv = [sys.executable, "-m", "labkit.judging", str(theirs)]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs],
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
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


# --- in the judge's process -------------------------------------------------------------------------


def main() -> None:
    """Read a job, write a line of JSON a result."""
    report = os.fdopen(int(sys.argv[1]), "w")
    os.set_inheritable(report.fileno(), False)
    syscalls.become_subreaper()
    signal.signal(signal.SIGTERM, _abandon)
    job = json.loads(_line(0))
    try:
        course = Course(Path(job["folder"]), tuple(Path(p) for p in job["checks"]))
        for result in results(course.exercise(job["name"]), job["text"], _still_wanted):
            print(json.dumps(_plain(result)), file=report, flush=True)
    except LabError as error:
        print(json.dumps({"problem": str(error)}), file=report, flush=True)
    except (Abandoned, BrokenPipeError):
        os._exit(1)


def _line(fd: int) -> bytes:
    """A line, and not a byte more."""
    line = bytearray()
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


def _plain(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__slots__}


def _abandon(*_: object) -> None:
    raise Abandoned


def _still_wanted() -> None:
    if select.select([0], [], [], 0)[0] and not os.read(0, 1):
        raise Abandoned


def results(exercise: Exercise, text: str, listen: Callable[[], None] = lambda: None) -> Iterator[Result]:
    """Judge every criterion in turn, then whether anything is left behind."""
    cage = Cage()
    left: list[str] = []
    held = 0
    try:
        for criterion in exercise.criteria:
            result = _judge_one(exercise, criterion, text, cage, listen, left)
            held += result.held
            yield result
        yield _tidiness(exercise, left, held)
    finally:
        cage.close()


def _judge_one(
    exercise: Exercise,
    criterion: Criterion,
    text: str,
    cage: Cage,
    listen: Callable[[], None],
    left: list[str],
) -> Result:
    with tempfile.TemporaryDirectory(prefix="labkit-answer-") as folder:
        answer = Answer(text, cage, Path(folder), criterion.seconds, listen)
        try:
            seen, picture, held = criterion.check(answer) or "", "", True
            left += _left_behind(exercise, answer, cage)
        except Failed as failed:
            seen, picture, held = failed.seen, failed.picture, False
        except (Abandoned, LabError):
            raise
        except Exception as error:
            raise LabError(_mistake(criterion, error)) from error
        finally:
            cage.kill()
            answer.close()
    return Result(criterion.text, held, criterion.points, seen, picture)


def _mistake(criterion: Criterion, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = next(
        (f for f in reversed(frames) if f.filename == criterion.check.__code__.co_filename), frames[-1]
    )
    return (
        f"The check of {criterion.text!r} has a mistake of its own ({Path(where.filename).name}, "
        f"line {where.lineno}: {type(error).__name__}: {error}). It is not your fault: "
        "tell whoever gave you the course."
    )


def _left_behind(exercise: Exercise, answer: Answer, cage: Cage) -> list[str]:
    """What is still there after everything the criterion wanted has happened."""
    for run in answer.runs:
        run.wait_ended()
    answer.wait_quiet(lambda: not cage.processes())
    found = [f"a process that {_doing(pid)}" for pid in cage.processes()]
    found += [
        f"the file `{name}`" for name in sorted(os.listdir(answer.folder)) if name not in exercise.may_leave
    ]
    return found


def _doing(pid: int) -> str:
    call = sleeping_in(pid)
    return f"sleeps in `{call}`" if call else "runs"


def _tidiness(exercise: Exercise, left: list[str], held: int) -> Result:
    """Nothing is worth nothing: whoever met no criterion has not shown tidiness either."""
    points = exercise.tidy_points
    if left:
        return Result(TIDY, False, points, f"It left {', '.join(dict.fromkeys(left))}.")
    if not held:
        return Result(TIDY, False, points, "There is nothing to judge yet.")
    return Result(TIDY, True, points)


if __name__ == "__main__":
    main()
