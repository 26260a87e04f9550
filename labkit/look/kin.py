"""Who outside the picture knows the number of a System V object: relatives, and who used it last.

- A private object has no key: it is known by its number. A child knows that by fork; exec forgets it. What a
  child knows by key, its parent knows too.
- fork copies the place where the stack begins (`stat` field 28) and the arguments (48); every exec chooses
  them anew. So two processes of a session in which they are the same are one program.
- A semaphore keeps the pid of who changed it last; a segment counts how often it is attached, in the
  picture or not: and who has an application's memory attached may well use its semaphores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.look import Look
from labkit.look.scan import KEPT_NS
from labkit.scene import SysvMsg, SysvSem, SysvShm

_LIKE_NO_OTHER = 1000
"""A smaller number among the arguments may stand for anything."""
_SESSION, _STACK, _ARGUMENTS = 3, 25, 45
"""Fields of /proc/PID/stat, counted from the one behind the name."""


class _Relatives(NamedTuple):
    taken_ns: int
    inside: frozenset[int]
    outside: bool
    """Is there one who is not in the picture?"""


def others(look: Look, object: SysvSem | SysvMsg | SysvShm) -> bool | None:
    """Is it used from outside the picture, too?"""
    if isinstance(object, SysvShm):
        return _attached_outside(look, object)
    if not look.started_by_us and _used_outside(look, object):
        return True
    return False if object.key == 0 and look.outside.starters_show() else None


def _used_outside(look: Look, object: SysvSem | SysvMsg) -> bool:
    sent_or_received = look.kept.get("users of queues", {}).get(object.id)
    users = (object.last if isinstance(object, SysvSem) else sent_or_received) or ()
    segments = [o for o in look.objects.values() if isinstance(o, SysvShm)]
    attached = any(_attached_outside(look, segment) for segment in segments)
    return attached or _alive_outside(look, users) or _relatives_outside(look) or _was_given(look, object)


def _was_given(look: Look, object: SysvSem | SysvMsg) -> bool:
    """Does its number stand among somebody's arguments? Who wrote it there knows it."""
    number = object.semid if isinstance(object, SysvSem) else object.msqid
    if number is None or number < _LIKE_NO_OTHER:
        return False
    return any(str(number) in seen.command.split() for seen in look.seen.values())


def _attached_outside(look: Look, segment: SysvShm) -> bool | None:
    if segment.attached is None or any(mappings is None for mappings in look.mappings.values()):
        return None
    inside = sum(m.object == segment.id for mappings in look.mappings.values() for m in mappings or ())
    return segment.attached > inside


def _alive_outside(look: Look, pids: Iterable[int]) -> bool:
    return any(pid not in look.seen and os.path.exists(f"/proc/{pid}") for pid in set(pids) - {0})


def _relatives_outside(look: Look) -> bool:
    inside = frozenset(look.seen)
    known: _Relatives | None = look.recall.kept.get("relatives")
    if known is None or known.inside != inside or look.outside.fresh or _is_old(known):
        known = look.recall.kept["relatives"] = _Relatives(time.monotonic_ns(), inside, _found(inside))
    return known.outside


def _is_old(known: _Relatives) -> bool:
    return time.monotonic_ns() - known.taken_ns > KEPT_NS


def _found(inside: frozenset[int]) -> bool:
    programs = {_program(pid) for pid in inside} - {None}
    return any(_program(pid) in programs for pid in proc.numbers_in(b"/proc") if pid not in inside)


def _program(pid: int) -> tuple[bytes, ...] | None:
    """What is the same in all processes that one has forked; None where it is not shown."""
    try:
        fields = proc.read(b"/proc/%d/stat" % pid).rpartition(b")")[2].split()
    except (Vanished, PermissionError):
        return None
    found = fields[_STACK], fields[_ARGUMENTS], fields[_SESSION]
    return None if fields[0] in b"ZX" or found[0] in (b"0", b"1") else found
