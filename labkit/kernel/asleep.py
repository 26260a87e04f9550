"""How long a thread has been asleep already, when nobody watched it fall asleep.

Some facts:

- `/proc/PID/task/TID/sched` has `se.exec_start`: the time when the scheduler last accounted for the
  thread, in milliseconds. It stands still while the thread sleeps: then it is when that began. Anyone
  may read it; kernels without CONFIG_SCHED_DEBUG do not have it (before 6.15 that was a choice).
- Each processor has a clock of its own for this (`rq_clock_task`), which leaves out what interrupts and
  the host of a virtual machine took. Two processors may differ by tenths of a second, and more with time.
- `stat` field 39 is the processor that the thread ran on last. A thread that moves to a processor by
  sched_setaffinity is accounted for there at once.

What follows for us: to know what time it is on that processor's clock, go there for a moment, and read
our own `exec_start`. It costs a fifth of a millisecond a processor, so it is done for a first look only.
The result leaves out the times that clock leaves out: it is never too long.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from labkit.errors import Vanished
from labkit.kernel import proc

MOST_PROCESSORS = 16


def parse_exec_start(text: bytes) -> int | None:
    """`se.exec_start` of a `sched` file, in nanoseconds; None where there is none."""
    start = text.find(b"se.exec_start")
    line = text[start : text.find(b"\n", start)] if start >= 0 else b""
    whole, dot, part = line.partition(b":")[2].strip().partition(b".")
    if not (dot and whole.isdigit() and part.isdigit() and len(part) == 6):
        return None
    return int(whole + part) or None


def durations(sleepers: Iterable[tuple[int, bytes]]) -> dict[bytes, int]:
    """For (processor, its /proc directory with a slash) of sleeping threads: directory -> nanoseconds."""
    by_processor: dict[int, list[bytes]] = {}
    for processor, base in sleepers:
        by_processor.setdefault(processor, []).append(base)
    began = {base: _exec_start(base) for bases in by_processor.values() for base in bases}
    found: dict[bytes, int] = {}
    for processor, now in _clocks(list(by_processor)[:MOST_PROCESSORS]).items():
        for base in by_processor[processor]:
            then = began[base]
            if then is not None and now >= then:
                found[base] = now - then
    return found


def _clocks(processors: list[int]) -> dict[int, int]:
    """What time it is on each processor's clock; this thread goes there and comes back."""
    clocks: dict[int, int] = {}
    home = os.sched_getaffinity(0)
    try:
        for processor in processors:
            os.sched_setaffinity(0, {processor})
            now = _exec_start(b"/proc/thread-self/")
            if now is not None:
                clocks[processor] = now
    except OSError:  # not allowed on that processor, or not at all: then it is not known
        pass
    finally:
        if os.sched_getaffinity(0) != home:
            os.sched_setaffinity(0, home)
    return clocks


def _exec_start(base: bytes) -> int | None:
    try:
        return parse_exec_start(proc.read(base + b"sched"))
    except (Vanished, OSError):
        return None
