"""How long a call may wait before it ends by itself."""

from __future__ import annotations

import math
import struct
import time

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made
from labkit.kernel.calls import TIMEOUTS
from labkit.kernel.peek import content, words

_NONE = (None, None)
_IPC_NOWAIT = 0o4000


def time_limit(pid: int, call: Made) -> tuple[float | None, float | None]:
    """Seconds after which a call that is about to be made ends by itself, or None.

    With them the point on a clock, where it was asked for so.
    """
    index, form = TIMEOUTS[call.name]
    value = call.args[index]
    if form == "ms":
        milliseconds = signed32(value)
        return _NONE if milliseconds < 0 else (milliseconds / 1000, None)
    if call.name == "semtimedop" and _at_once(pid, call):
        return _NONE
    if not value or (call.name == "futex" and call.args[1] & 127 not in (0, 6, 9, 11, 13)):
        return _NONE
    parts = words(pid, value, 2)
    if len(parts) < 2:
        return _NONE
    if parts[0] >> 63:
        return 0.0, None
    seconds = parts[0] + parts[1] / (1e6 if form == "timeval" else 1e9)
    if not is_absolute(call):
        return seconds, None
    return _rounded(seconds - time.clock_gettime(clock_of(call))), seconds


def _at_once(pid: int, call: Made) -> bool:
    """One of the operations does not wait."""
    operations = content(pid, call.args[1], 6 * min(call.args[2], 500))
    return any(flags & _IPC_NOWAIT for _, _, flags in struct.iter_unpack("=Hhh", operations))


def _rounded(seconds: float) -> float:
    """To three digits, or a thousandth: some of the time was spent on the way to the call."""
    if seconds <= 0:
        return 0.0
    digits = min(3, 2 - math.floor(math.log10(seconds)))
    return math.ceil(seconds * 10.0**digits) / 10.0**digits


def is_absolute(call: Made) -> bool:
    """True: its time is a point on a clock, not a span."""
    if call.name == "clock_nanosleep":
        return bool(call.args[1] & 1)
    if call.name == "futex":
        return call.args[1] & 127 != 0
    return call.name in ("mq_timedsend", "mq_timedreceive")


def clock_of(call: Made) -> int:
    """The clock by which a call's point in time is meant."""
    if call.name == "clock_nanosleep":
        return call.args[0] & 0xFF
    if call.name == "futex" and not call.args[1] & 256:
        return time.CLOCK_MONOTONIC
    return time.CLOCK_REALTIME
