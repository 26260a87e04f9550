"""What a signal will do to a process, as /proc/PID/status tells."""

from __future__ import annotations

import re
import signal

from labkit.conductor.tasks import Effect, Task

STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_IGNORED_BY_DEFAULT = (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT)
_NAMES = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
_MASKS = re.compile(rb"^(SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt):\s*(\w+)", re.MULTILINE)


def effect(task: Task, number: int) -> Effect:
    """What the signal will do to the process."""
    masks = _masks(task.process.pid, task.tid)
    bit = 1 << (number - 1)
    if masks["SigCgt"] & bit:
        return "handler"
    if masks["SigIgn"] & bit or number in _IGNORED_BY_DEFAULT:
        return "ignored"
    return "stops" if number in STOPPING else "ends"


def handles_sigchld(pid: int) -> bool:
    """True: the process has a handler that runs when a child of it ends."""
    return bool(_masks(pid, pid)["SigCgt"] >> (signal.SIGCHLD - 1) & 1)


def only_ignored(task: Task) -> bool:
    """Every signal that waits to be delivered is one that the program ignores."""
    return _waiting(task) == {"ignored"}


def next_effect(task: Task) -> Effect | None:
    """What the signals that wait to be delivered will do: the first of handler, stops, ends."""
    effects = _waiting(task)
    return next((word for word in _FIRST if word in effects), None)


_FIRST: tuple[Effect, ...] = ("ends", "stops", "handler")


def _waiting(task: Task) -> set[Effect]:
    masks = _masks(task.process.pid, task.tid)
    pending = (masks["SigPnd"] | masks["ShdPnd"]) & ~masks["SigBlk"]
    return {effect(task, n) for n in range(1, 65) if pending >> (n - 1) & 1}


def handler_waits(task: Task) -> bool:
    """A signal waits to be delivered whose handler will then run."""
    masks = _masks(task.process.pid, task.tid)
    return bool((masks["SigPnd"] | masks["ShdPnd"]) & ~masks["SigBlk"] & masks["SigCgt"])


def _masks(pid: int, tid: int) -> dict[str, int]:
    try:
        with open(f"/proc/{pid}/task/{tid}/status", "rb", buffering=0) as file:
            found = _MASKS.findall(file.read())
    except OSError:
        return dict.fromkeys(_NAMES, 0)
    return {name.decode(): int(mask, 16) for name, mask in found}
