"""Answers -> marks, by several workers at a time."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from labkit import __version__, room
from labkit.errors import LabError
from labkit.exercises import Course
from labkit.grading.collecting import Submission
from labkit.grading.journal import Journal
from labkit.grading.marks import Mark, status_of
from labkit.judge import sandbox
from labkit.judge.cage import Cage
from labkit.reports import Report, Result


@dataclass(frozen=True, slots=True)
class Task:
    """One answer to be judged."""

    learner: str
    exercise: str
    text: str
    note: str
    digest: str


def plan(
    course: Course, submissions: Sequence[Submission], exercises: Sequence[str], journal: Journal
) -> tuple[list[Task], list[Mark]]:
    """What is still to be judged, and the marks that need no judging."""
    seal = _seal(course)
    tasks, marks = [], []
    for submission in submissions:
        for name in exercises:
            text = submission.answers.get(name)
            if text is None:
                marks.append(_unjudged(course, submission, name))
                continue
            digest = hashlib.sha256(f"{seal} {name} {text}".encode(errors="replace")).hexdigest()
            old = journal.marks.get((submission.learner, name))
            note = _note(submission, name)
            if old is None or old.digest != digest or old.note != note or old.status == "error":
                tasks.append(Task(submission.learner, name, text, note, digest))
    return tasks, marks


def _note(submission: Submission, name: str) -> str:
    return " ".join(filter(None, (submission.notes.get(name), submission.late)))


def _unjudged(course: Course, submission: Submission, name: str) -> Mark:
    out_of = out_of_points(course, name)
    why = (
        submission.notes.get(name)
        or " ".join(submission.problems[:3])
        or "There is no cell for this exercise."
    )
    readable = submission.answers or not submission.problems
    status = "missing" if readable else "unreadable"
    return Mark(submission.learner, name, 0, out_of, status, 0.0, why[:500], f"{name}\n{why}\n")


def out_of_points(course: Course, name: str) -> int:
    """The points that an exercise has."""
    return course.exercise(name).out_of


def _seal(course: Course) -> str:
    """Changes when what judges changes: the checks, or labkit itself."""
    digest = hashlib.sha256(__version__.encode())
    files = [path for folder in course.checks for path in sorted(folder.glob("*.py"))]
    for path in [*files, *sorted((sandbox.PACKAGE / "judge").glob("*.py"))]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def require_sandbox() -> None:
    """A LabError unless the strict wall can be built here."""
    walls = (wall for wall in sandbox.walls() if wall.name == "strict")
    try:
        Cage.behind(walls).close()
    except LabError:
        why = (room.why_no_room() or "its files could not be arranged as they must be").rstrip(".")
        raise LabError(
            f"Grading runs strangers' code, and there is no sandbox to run it in: {why}. "
            "Mend that, or, if you trust everybody who handed in, say --no-sandbox."
        ) from None


def mark_all(
    course: Course,
    tasks: Sequence[Task],
    jobs: int,
    no_sandbox: bool,
    on_mark: Callable[[Mark], None],
    private: Iterable[Path] = (),
) -> None:
    """Have every task judged; `on_mark` gets each mark as it is there, in any order.

    No answer sees anything of the course's folder, of its checks, or of what is `private`.
    """
    hidden = [str(path.resolve()) for path in (course.folder, *course.checks, *private)]
    todo = iter(tasks)
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        workers = min(jobs, len(tasks))
        first = sandbox.some_slots(workers)
        for slot in range(first, first + workers):
            worker = stack.enter_context(_worker(course, slot, no_sandbox, hidden))
            if worker.give(next(todo, None)):
                ready.register(worker.replies, selectors.EVENT_READ, worker)
        while ready.get_map():
            for key, _ in ready.select():
                worker = key.data
                on_mark(worker.mark())
                if not worker.give(next(todo, None)):
                    ready.unregister(worker.replies)


class _Worker:
    def __init__(
        self, course: Course, fixed: dict[str, Any], process: subprocess.Popen[str], replies: IO[str]
    ) -> None:
        self.replies = replies
        self._course, self._process = course, process
        self._fixed = {"folder": str(course.folder), "checks": [str(path) for path in course.checks], **fixed}
        self._task: Task | None = None

    def give(self, task: Task | None) -> bool:
        """Hand it a task; False when there is none."""
        self._task = task
        if task is None:
            return False
        job = self._fixed | {"name": task.exercise, "text": task.text}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return True

    def mark(self) -> Mark:
        """The mark of the task that it was given."""
        task = self._task
        assert task is not None
        line = self.replies.readline()
        if not line:
            raise LabError("A worker ended unexpectedly. Run the same command again: it goes on from here.")
        return _mark(self._course, task, json.loads(line))


def _mark(course: Course, task: Task, outcome: dict[str, Any]) -> Mark:
    who, seconds = (task.learner, task.exercise), round(outcome["seconds"], 2)
    if "problem" in outcome:
        out_of, said = out_of_points(course, task.exercise), f"It could not be judged: {outcome['problem']}"
        return Mark(*who, 0, out_of, "error", seconds, said[:500], f"{task.exercise}\n{said}\n", task.digest)
    report = Report(task.exercise, tuple(Result(**result) for result in outcome["results"]))
    text = report.text() + (f"{task.note}\n" if task.note else "")
    status = status_of(report)
    return Mark(*who, report.points, report.out_of, status, seconds, task.note, text, task.digest)


@contextmanager
def _worker(course: Course, slot: int, no_sandbox: bool, hidden: list[str]) -> Iterator[_Worker]:
    ours, theirs = os.pipe()
    argv = [sys.executable, "-m", "labkit.grading.worker", str(theirs)]
    path = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[theirs], cwd="/", text=True,
        start_new_session=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    os.close(theirs)
    with open(ours) as replies:
        try:
            fixed = {"slot": slot, "no_sandbox": no_sandbox, "hidden": hidden}
            yield _Worker(course, fixed, process, replies)
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
