"""The one family of errors that a person meets.

Whoever raises a `LabError` writes a sentence for the person at the screen: what happened, to which
object, and what to do. The magics and the command line print that sentence and nothing else.
"""

from __future__ import annotations


class LabError(Exception):
    """Something a person can mend, said in one or two clear sentences."""


class NotVisible(LabError):
    """This machine does not show what was asked for; the text says why and what would help."""


class Vanished(LabError):
    """The process or object went away while it was being looked at."""
