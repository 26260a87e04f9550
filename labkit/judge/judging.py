"""The judge's process: `python -m labkit.judge.judging FD`.

It reads a job on its standard input and writes each result, when it is there, on a descriptor that
nobody else has. It never runs, imports or unpickles anything of the answer's. It is the ancestor and
subreaper of everything the answer starts; when its standard input ends, because whoever asked is gone or
lost interest, it ends everything and itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.exercises import Course, Criterion, Exercise, Failed
from labkit.judge import sandbox
from labkit.judge.answers import Answer
from labkit.judge.cage import Cage
from labkit.judge.resting import sleeping_in
from labkit.judge.sandbox import Wall
from labkit.judge.watch import Poor, wait_for_plenty
from labkit.kernel import syscalls
from labkit.reports import Result, printable

TIDY = "leaves nothing behind"
TRIES = 20
MOST_SAID, MOST_DRAWN = 1000, 8000
"""Characters of what is said of a criterion, and of its picture: an answer's own words may be in both."""


class Abandoned(Exception):
    """Whoever asked is gone."""


def main() -> None:
    """Read a job, write a line of JSON a result."""
    report = os.fdopen(int(sys.argv[1]), "w")
    os.set_inheritable(report.fileno(), False)
    syscalls.become_subreaper()
    signal.signal(signal.SIGTERM, _abandon)
    job = json.loads(_line(0))
    try:
        course = Course(Path(job["folder"]), tuple(Path(p) for p in job["checks"]))
        found = results(course.exercise(job["name"]), job["text"], _still_wanted)
        with contextlib.closing(found):  # all is cleared away, also when nobody listens any more
            for result in found:
                print(json.dumps(plain(result)), file=report, flush=True)
    except LabError as error:
        print(json.dumps({"problem": str(error)}), file=report, flush=True)
    except (Abandoned, BrokenPipeError):
        os._exit(1)


def _line(fd: int) -> bytes:
    """The line that the job is; nothing comes after it."""
    line = bytearray()
    while not line.endswith(b"\n") and (piece := os.read(fd, 65536)):
        line += piece
    return bytes(line)


def plain(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__slots__}


def _abandon(*_: object) -> None:
    raise Abandoned


def _still_wanted() -> None:
    if select.select([0], [], [], 0)[0] and not os.read(0, 1):
        raise Abandoned


def results(
    exercise: Exercise,
    text: str,
    listen: Callable[[], None] = lambda: None,
    walls: Iterator[Wall] | None = None,
) -> Generator[Result, None, None]:
    """Judge every criterion in turn, then whether anything is left behind."""
    judged = Judged(exercise, text, listen, Cage.behind(walls or sandbox.walls()))
    try:
        for criterion in exercise.criteria:
            yield judged.one(criterion)
        yield judged.tidiness()
    finally:
        judged.cage.close()


class Judged:
    """One answer on its way through the criteria."""

    def __init__(self, exercise: Exercise, text: str, listen: Callable[[], None], cage: Cage) -> None:
        self.exercise, self.text, self.listen, self.cage = exercise, text, listen, cage
        self._left: list[str] = []
        self._held = 0
        self._objects: dict[str, str] | None = None
        """What can outlive a process, as it was after the last criterion; None when that is not known."""
        self._shown: set[str] = set()

    def one(self, criterion: Criterion) -> Result:
        """Whether a criterion holds. Who was stopped for what others took is judged again, some times."""
        for _ in range(TRIES):
            with contextlib.suppress(Poor):
                return self._once(criterion)
            self.cage.close()
            wait_for_plenty()
        return Result(
            criterion.text, False, criterion.points, "It could not be judged: others took too much."
        )

    def _once(self, criterion: Criterion) -> Result:
        answer = Answer(self.text, self.cage, criterion.seconds, self.exercise.language, self.listen)
        before = self._objects or self.cage.objects()
        self._objects = None
        try:
            seen, picture, held = criterion.check(answer) or "", "", True
            self._left += self._left_behind(answer, before)
        except Poor:
            raise
        except Failed as failed:
            seen, picture, held = failed.seen, answer.explained(failed.picture), False
        except (Abandoned, LabError):
            raise
        except Exception as error:
            raise LabError(_mistake(criterion, error)) from error
        finally:
            self.cage.kill()
            answer.close()
        self._clear_away(answer, before)
        self._held += held
        seen, picture = printable(seen, MOST_SAID), self._new(printable(picture, MOST_DRAWN))
        return Result(criterion.text, held, criterion.points, seen, picture)

    def _clear_away(self, answer: Answer, before: dict[str, str]) -> None:
        """Take away what the answer has left in the kernel: no criterion is to meet another one's objects."""
        now = self._objects if self._objects is not None else self.cage.objects()
        self._objects = before
        if not now.keys() <= before.keys() or self.cage.strays():
            self.cage.forget_objects({run.pid for run in answer.runs})
            self._objects = None

    def _new(self, picture: str) -> str:
        """A picture is shown once."""
        new = picture not in self._shown
        self._shown.add(picture)
        return picture if new else ""

    def _left_behind(self, answer: Answer, before: dict[str, str]) -> list[str]:
        """What is still there after everything the criterion wanted has happened."""
        for run in answer.runs:
            run.wait_ended()
        answer.wait_quiet(lambda: not self.cage.processes())
        found = [f"a process that {_doing(pid)}" for pid in self.cage.processes()]
        self._objects = now = self.cage.objects()
        found += sorted(words for identity, words in now.items() if identity not in before)
        files = {*answer.files(), *self.cage.strays()} - set(self.exercise.may_leave)
        return found + [f"the file `{printable(name, 60)}`" for name in sorted(files)]

    def tidiness(self) -> Result:
        """Nothing is worth nothing: whoever met no criterion has not shown tidiness either."""
        points, left = self.exercise.tidy_points, list(dict.fromkeys(self._left))
        if left:
            return Result(TIDY, False, points, f"It left {', '.join(left[:8])}.")
        if points and not self._held:
            return Result(TIDY, False, points, "There is nothing to judge yet.")
        return Result(TIDY, True, points)


def _mistake(criterion: Criterion, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    file = criterion.check.__code__.co_filename
    where = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    return (
        f"The check of {criterion.text!r} has a mistake of its own ({Path(where.filename).name}, "
        f"line {where.lineno}: {type(error).__name__}: {error}). It is not your fault: "
        "tell whoever gave you the course."
    )


def _doing(pid: int) -> str:
    call = sleeping_in(pid)
    return f"sleeps in `{call}`" if call else "runs"


if __name__ == "__main__":
    main()
