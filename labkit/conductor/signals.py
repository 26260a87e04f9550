"""What a signal will do to a process, as /proc/PID/status tells."""

from __future__ import annotations

import re
import signal

from labkit.conductor.tasks import Effect, Task
from labkit.errors import Vanished
from labkit.kernel import proc

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
    if number not in STOPPING:
        return "ends"
    return "stops" if number == signal.SIGSTOP or not _is_orphaned(task.process.pid) else "ignored"


def _is_orphaned(pid: int) -> bool:
    """Nobody outside its process group could continue it: then only SIGSTOP stops it (setpgid(2))."""
    known = {p: stat for p in proc.numbers_in(b"/proc") if (stat := _stat(p)) is not None}
    group, session = known[pid].pgrp, known[pid].session
    members = [stat for stat in known.values() if stat.pgrp == group and stat.state not in "ZX"]
    parents = [known[stat.ppid] for stat in members if stat.ppid in known]
    return not any(stat.session == session and stat.pgrp != group for stat in parents)


def _stat(pid: int) -> proc.Stat | None:
    try:
        return proc.read_stat(pid)
    except (Vanished, OSError):
        return None


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


def _masks(pid: int, tid: int) -> dict[str, int]:
    try:
        with open(f"/proc/{pid}/task/{tid}/status", "rb", buffering=0) as file:
            found = _MASKS.findall(file.read())
    except OSError:
        return dict.fromkeys(_NAMES, 0)
    return {name.decode(): int(mask, 16) for name, mask in found}
