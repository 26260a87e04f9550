"""How long a call may wait before it ends by itself."""

from __future__ import annotations

import math
import time

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made
from labkit.kernel.calls import TIMEOUTS
from labkit.kernel.peek import words


def time_limit(pid: int, call: Made) -> float | None:
    """Seconds after which a call ends by itself, or None."""
    if call.name not in TIMEOUTS:
        return None
    index, form = TIMEOUTS[call.name]
    value = call.args[index]
    if form == "ms":
        milliseconds = signed32(value)
        return None if milliseconds < 0 else milliseconds / 1000
    if not value or (call.name == "futex" and call.args[1] & 127 not in (0, 6, 9, 11, 13)):
        return None
    parts = words(pid, value, 2)
    if len(parts) < 2:
        return None
    if parts[0] >> 63:
        return 0.0
    seconds = parts[0] + parts[1] / (1e6 if form == "timeval" else 1e9)
    if is_absolute(call):
        seconds -= time.clock_gettime(clock_of(call))
    return math.ceil(max(seconds, 0.0) * 1000) / 1000


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
