"""Exercises as an author writes them, and where a course keeps them.

A course's `exercises/checks/TOPIC.py` holds the exercises of a topic, and for each its criteria: plain
functions whose docstring is what a learner reads.

    write_all = Exercise(hints=("What does os.write return?", …))

    @write_all.criterion(points=2, seconds=5)
    def in_pieces(answer):
        \"\"\"writes everything when the pipe is small\"\"\"
        …

A criterion is handed an `Answer` (see `judge/answers.py`). It calls `fail` with a sentence about what it saw,
or returns such a sentence (or nothing) when the criterion held. The name of the exercise is the name
of the module's variable.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.judge.answers import Answer

LANGUAGES = ("python", "shell", "c")


class Failed(Exception):
    """A criterion did not hold; the text says what was seen."""

    def __init__(self, seen: str, picture: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.picture = picture


def fail(seen: str, picture: str = "") -> NoReturn:
    """End a criterion: it did not hold, and this is what was seen."""
    raise Failed(seen, picture)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing a right answer does."""

    text: str
    points: int
    seconds: float
    check: Callable[[Answer], str | None]


@dataclass(slots=True)
class Exercise:
    """A task with its hints and criteria."""

    hints: tuple[str, ...] = ()
    language: str = "python"
    """What the answer is written in: `python`, `shell` or `c`."""
    may_leave: tuple[str, ...] = ()
    """Files an answer may leave in its folder, because the task asks for them."""
    tidy_points: int = 1
    """Points for leaving nothing behind."""
    criteria: list[Criterion] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise LabError(f"An exercise's language is one of {', '.join(LANGUAGES)}, not {self.language!r}.")

    @property
    def out_of(self) -> int:
        """The points that can be had."""
        return self.tidy_points + sum(criterion.points for criterion in self.criteria)

    def criterion(self, *, points: int = 1, seconds: float = 5) -> Callable[[Any], Any]:
        """Make a function one of this exercise's criteria; its docstring's first line is the text."""

        def add(check: Any) -> Any:
            text = (inspect.getdoc(check) or "").partition("\n")[0]
            if not text:
                raise LabError(
                    f"The criterion {check.__name__} needs a docstring: a learner reads its first line."
                )
            self.criteria.append(Criterion(text, points, seconds, check))
            return check

        return add


class Course:
    """A folder with `exercises/`, `exercises/checks/` and, for its authors, `solutions/`."""

    def __init__(self, folder: Path, checks: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.checks = (*checks, folder / "exercises" / "checks")
        """Where topics are looked for, in this order; an instructor's own folder comes first."""

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The course of `LABKIT_COURSE`, or that `start` (the working directory) lies in, or labkit's own."""
        told = os.environ.get("LABKIT_COURSE")
        if told:
            return cls(_checked(Path(told)))
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
            if (folder / "exercises" / "checks").is_dir():
                return cls(folder)
        raise LabError(
            "No course was found here: go to a folder of the course, or set LABKIT_COURSE to its folder."
        )

    def topics(self) -> list[str]:
        """The names of the topics that have exercises, in order."""
        found = {p.stem for folder in self.checks for p in folder.glob("*.py") if p.stem != "__init__"}
        return sorted(found)

    def exercises(self, topic: str) -> dict[str, Exercise]:
        """A topic's exercises by name, in the order they were written."""
        module = self._load(topic)
        return {name: value for name, value in vars(module).items() if isinstance(value, Exercise)}

    def exercise(self, name: str) -> Exercise:
        """The exercise `TOPIC/NAME`."""
        topic, _, short = name.partition("/")
        if not short or topic not in self.topics():
            raise LabError(f"There is no exercise {name!r}. {self._meant(short or name)}")
        found = self.exercises(topic).get(short)
        if found is None:
            raise LabError(f"There is no exercise {name!r}. {_listing(list(self.names(topic)))}")
        return found

    def _meant(self, short: str) -> str:
        """The exercises whose name without its topic was typed; all there are, if there is none."""
        names = list(self.names())
        alike = [name for name in names if name.partition("/")[2] == short]
        return f"Did you mean {' or '.join(alike)}?" if alike else _listing(names)

    def names(self, topic: str | None = None) -> Iterator[str]:
        """The names of all exercises, or of a topic's."""
        for each in [topic] if topic else self.topics():
            yield from (f"{each}/{short}" for short in self.exercises(each))

    def _load(self, topic: str) -> ModuleType:
        for folder in self.checks:
            path = folder / f"{topic}.py"
            if path.is_file():
                return _module(topic, path)
        raise LabError(f"There are no exercises on {topic!r}. Topics: {', '.join(self.topics())}.")


def _module(topic: str, path: Path) -> ModuleType:
    name = f"labkit_checks.{path.parent}.{topic}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def _checked(folder: Path) -> Path:
    if not (folder / "exercises" / "checks").is_dir():
        raise LabError(f"LABKIT_COURSE is {folder}, and there is no exercises/checks in it.")
    return folder.resolve()


def _listing(names: list[str]) -> str:
    return f"There is: {', '.join(names)}." if names else "There are none yet."
