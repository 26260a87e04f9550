"""What is kept of one learner's answer to one exercise; pure data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from labkit.reports import Report


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of the gradebook."""

    learner: str
    exercise: str
    points: int
    out_of: int
    status: str
    """`solved`, `partly`, `nothing yet`; `missing`, `unreadable`, `error` when nothing could be judged."""
    seconds: float
    note: str = ""
    """A sentence about what is unusual here: a copied cell, a late submission, why it is missing."""
    report: str = ""
    """What the learner may read."""
    digest: str = ""
    """Of the text that was judged, and of what judged it: the same digest needs no second judging."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Mark:
        return cls(**data)


def status_of(report: Report) -> str:
    """In a word, what came of an answer that was judged."""
    if report.solved:
        return "solved"
    return "partly" if report.points else "nothing yet"
