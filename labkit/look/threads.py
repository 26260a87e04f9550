"""What every thread in the picture is doing, and what those that sleep are waiting for.

A reading counts only when the thread slept all the way through it: its counter of runs (`schedstat`)
is the same before and after. One that has not run since the last look is still in the same call with
the same arguments, so that nothing has to be read again but its counter and its state.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import time
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import asleep, blocked, numbers, posix, proc, rights, syscalls
from labkit.kernel.files import event_words, parse_epoll
from labkit.look import Held, Look, parts, relatives, signals
from labkit.look.processes import STATES
from labkit.look.recall import Recall
from labkit.scene import Blocked, State, Thread, WatchedFd
from labkit.waits.seen import has_handlers

TRIES = 3


class Sleep(NamedTuple):
    """One sleep of one thread, remembered between looks."""

    schedule: bytes
    since_ns: int
    """On the monotonic clock: when it began, or was first seen."""
    waiting: blocked.Waiting | None


class Reading(NamedTuple):
    """A thread's state, and its sleep where it is in one."""

    state: str
    sleep: Sleep | None
    fresh: bool
    """The first look that saw this sleep."""
    processor: int


def read(look: Look) -> None:
    """Fill `look.threads`."""
    found = {pid: [(tid, _read(look, pid, tid)) for tid in seen.threads] for pid, seen in look.seen.items()}
    if look.recall.single:
        _look_back(look, found)
    for pid, readings in found.items():
        look.threads[pid] = tuple([_thread(look, pid, tid, reading) for tid, reading in readings])


def _look_back(look: Look, found: dict[int, list[tuple[int, Reading]]]) -> None:
    """In a single picture: find out how long those who sleep have done so."""
    sleepers = {
        b"/proc/%d/task/%d/" % (pid, tid): (pid, at, reading)
        for pid, readings in found.items()
        for at, (tid, reading) in enumerate(readings)
        if reading.fresh and reading.sleep is not None and reading.sleep.waiting is not None
    }
    now = time.monotonic_ns()
    where = [(reading.processor, base) for base, (_, _, reading) in sleepers.items()]
    for base, duration in asleep.durations(where).items():
        pid, at, reading = sleepers[base]
        assert reading.sleep is not None
        known = reading.sleep._replace(since_ns=now - duration)
        found[pid][at] = found[pid][at][0], reading._replace(sleep=known, fresh=False)


def _read(look: Look, pid: int, tid: int) -> Reading:
    seen = look.seen[pid]
    first = (seen.schedule, seen.stat) if tid == pid else None
    for _ in range(TRIES):
        try:
            return _reading(look, pid, tid, first)
        except Vanished:
            return Reading("X", None, False, 0)
        except _Moved:
            first = None
    return Reading("R", None, False, 0)


def _thread(look: Look, pid: int, tid: int, reading: Reading) -> Thread:
    state = STATES.get(reading.state, "sleeping")
    if reading.sleep is None:
        look.recall.asleep.pop(tid, None)
        return Thread(tid, _as_told(look, reading.state, state))
    look.recall.asleep[tid] = reading.sleep
    if reading.sleep.waiting is None:
        return Thread(tid, state)
    blocked = _blocked(look, pid, reading.sleep, reading.fresh)
    if reading.state == "D" and blocked.call != "vfork":  # for a disk, or a lock of the kernel's own
        blocked = dataclasses.replace(blocked, timed=None)
    return Thread(tid, state, blocked)


def _as_told(look: Look, letter: str, state: State) -> State:
    return look.tracing_stop if letter == "t" else state


def mark(recall: Recall, tid: int) -> bytes | None:
    """Its counter of runs in the sleep that was seen last."""
    known: Sleep | None = recall.asleep.get(tid)
    return known.schedule if known else None


def has_not_run(recall: Recall, pid: int, tid: int) -> bool:
    """Is it still in the sleep that was seen last?"""
    known: Sleep | None = recall.asleep.get(tid)
    base = b"/proc/%d/task/%d/" % (pid, tid)
    try:
        return (
            known is not None
            and proc.parse_stat(proc.read(base + b"stat")).state in "SD"
            and proc.read_schedule(base) == known.schedule
        )
    except (Vanished, OSError):
        return False


class _Moved(Exception):
    """It ran while it was being looked at."""


def _reading(look: Look, pid: int, tid: int, first: tuple[bytes, proc.Stat] | None) -> Reading:
    base = b"/proc/%d/task/%d/" % (pid, tid)
    schedule, line = first or _now(look, base, tid)
    state = line.state
    if state not in "SD" or line.kernel_thread:
        return Reading(state, None, False, 0)
    known: Sleep | None = look.recall.asleep.get(tid)
    if known is not None and known.schedule == schedule:
        return Reading(state, known, False, 0)
    try:
        where = proc.read(base + b"wchan")
        if blocked.is_frozen(where):
            return Reading("T", None, False, 0)
        waiting = _waiting(look, pid, base, where)
        if waiting is not None and tid != pid and rights.allowed("kcmp"):
            waiting = waiting._replace(own_table=relatives.own_table(look.seen[pid].witness, (tid,)))
    except PermissionError as error:
        look.refused("what a process is waiting for", pid, error, attach=True)
        waiting = None
    if proc.read_schedule(base) != schedule:
        raise _Moved
    return Reading(state, Sleep(schedule, time.monotonic_ns(), waiting), True, line.processor)


def _now(look: Look, base: bytes, tid: int) -> tuple[bytes, proc.Stat]:
    schedule = proc.read_schedule(base)
    line = look.recall.parsed((tid, "thread"), proc.read(base + b"stat"), proc.parse_stat)
    return schedule, line


def _waiting(look: Look, pid: int, base: bytes, where: bytes) -> blocked.Waiting | None:
    call = proc.parse_syscall(proc.read(base + b"syscall"))
    if call is None:
        return None
    name: str | None = numbers.name_of(call.number)
    if name == "restart_syscall":
        name = blocked.restarted(where)
    if name is None or blocked.is_held_up(where):
        return None
    found = blocked.waiting(name, call.arguments, lambda address, size: look.memory(pid, address, size))
    return blocked.on_target(found, where)


# --- as the Scene has it ----------------------------------------------------------------------------


def _blocked(look: Look, pid: int, sleep: Sleep, fresh: bool) -> Blocked:
    waiting = sleep.waiting
    assert waiting is not None
    if waiting.own_table:
        return _by_numbers(waiting)
    held = look.row(pid, waiting.fd) if waiting.fd is not None else None
    on = _on(look, pid, waiting, held)
    return Blocked(
        call=waiting.call,
        fd=waiting.fd,
        object=_object(look, pid, waiting),
        on=on,
        since_ns=None if fresh else time.monotonic_ns() - sleep.since_ns,
        timed=_timed(look, pid, waiting, held),
        children=_children(look, pid, waiting) if not on else _behind_pidfds(look, pid, on),
        operations=waiting.operations,
    )


def _by_numbers(waiting: blocked.Waiting) -> Blocked:
    """What is known where the descriptors are of another table: their numbers."""
    on = tuple(WatchedFd(fd, events, None) for fd, events in waiting.on)
    return Blocked(waiting.call, waiting.fd, on=on, operations=waiting.operations)


def _object(look: Look, pid: int, waiting: blocked.Waiting) -> str | None:
    if waiting.object is not None:
        kind, number = waiting.object
        if kind == "futex":
            ask = parts.find("posix", "futex")
            word: str | None = ask(look, pid, number, waiting.arguments) if ask else None
            return word or (relatives.common_memory(look, pid) if look.outside.fresh else None)
        known = parts.find("sysv", "identity")(look, pid, number)
        return look.reach(kind, known)
    if waiting.path is not None:
        return _fifo(look, pid, *waiting.path)
    if waiting.fd is None:
        return None
    if waiting.call in ("flock", "fcntl"):
        ask = parts.find("files", "lock_waited")
        found = ask(look, pid, waiting.call, waiting.fd, waiting.arguments) if ask else None
        if found is not None:
            return str(found)
    if waiting.call == "connect":
        ask = parts.find("sockets", "listener")
        found = ask(look, pid, waiting.arguments) if ask else None
        if found is not None:
            return str(found)
    return look.placed.get((pid, waiting.fd))


def _fifo(look: Look, pid: int, directory: int, address: int) -> str | None:
    """The FIFO that an `open` waits on: the other side has not opened it yet."""
    name = _text(look, pid, address)
    if name is None:
        return None
    start = b"cwd" if directory == blocked.AT_FDCWD else b"fd/%d" % directory
    path = (
        b"/proc/%d/root%s" % (pid, name) if name.startswith(b"/") else b"/proc/%d/%s/%s" % (pid, start, name)
    )
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISFIFO(found.st_mode):
        return None
    look.fifos.setdefault((found.st_dev, found.st_ino), _full_path(pid, start, name))
    return look.reach("fifo", (found.st_dev, found.st_ino))


def _full_path(pid: int, start: bytes, name: bytes) -> bytes:
    if name.startswith(b"/"):
        return name
    try:
        return os.path.normpath(os.path.join(os.readlink(b"/proc/%d/%s" % (pid, start)), name))
    except OSError:
        return name


def _text(look: Look, pid: int, address: int) -> bytes | None:
    """A C string in the process's memory."""
    data = b""
    while len(data) < 4096 and b"\0" not in data:
        size = 4096 - (address + len(data)) % 4096  # up to the end of the page: the next may not be there
        more = look.memory(pid, address + len(data), min(size, 256))
        if more is None:
            return None
        data += more
    return data.split(b"\0", 1)[0]


def _on(look: Look, pid: int, waiting: blocked.Waiting, held: Held | None) -> tuple[WatchedFd, ...]:
    watched = waiting.on
    if waiting.call.startswith("epoll") and held is not None and held.info is not None:
        watched = tuple((one.fd, event_words(one.events)) for one in parse_epoll(held.info.more))
    return tuple(WatchedFd(fd, events, look.placed.get((pid, fd))) for fd, events in watched)


def _children(look: Look, pid: int, waiting: blocked.Waiting) -> tuple[int, ...] | None:
    if waiting.children is None:
        return None
    kind, number = waiting.children
    mine = [other for other, seen in look.seen.items() if seen.stat.ppid == pid]
    if kind == "memory":
        return tuple(other for other in mine if relatives.shares(look.seen[pid].witness, other))
    if look.outside.fresh:
        mine += [other for other in relatives.tracees(look, pid) if other not in mine]
    if kind == "pidfd":
        return tuple(other for other in mine if other == _pid_of(look.row(pid, number)))
    if kind == "pid":
        return tuple(other for other in mine if _its_number(other, pid, b"NSpid") == number)
    if kind == "group":
        number = number or _its_number(pid, pid, b"NSpgid")
        return tuple(other for other in mine if _its_number(other, pid, b"NSpgid") == number)
    return tuple(mine)


def _behind_pidfds(look: Look, pid: int, on: tuple[WatchedFd, ...]) -> tuple[int, ...] | None:
    """The processes whose ends are waited for with a poll of pidfds."""
    rows = [look.row(pid, watched.fd) for watched in on]
    return tuple(_pid_of(row) for row in rows if row is not None and b"pidfd" in row.link) or None


def _its_number(pid: int, looker: int, line: bytes) -> int:
    """The number of a process (or of its group) where another lives: in a room it is not the one we know."""
    try:
        there = len(proc.parse_numbers(proc.read(b"/proc/%d/status" % looker), line))
        numbers = proc.parse_numbers(proc.read(b"/proc/%d/status" % pid), line)
    except Vanished:
        return -1
    return numbers[there - 1] if 0 < there <= len(numbers) else pid


def _pid_of(held: Held | None) -> int:
    lines = held.info.more if held is not None and held.info is not None else ()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Pid:")), -1)


# --- has it a time limit ----------------------------------------------------------------------------


def _timed(look: Look, pid: int, waiting: blocked.Waiting, held: Held | None) -> bool | None:
    timed = _limited(look, waiting, held)
    if timed is False and look.outside.fresh:
        unseen = relatives.has_timers(pid) or relatives.kernel_works_for(look.seen[pid].witness)
        if unseen or _may_be_posted_by_itself(look, pid, waiting):
            return None
    return timed


def _may_be_posted_by_itself(look: Look, pid: int, waiting: blocked.Waiting) -> bool:
    """By a handler: many a server waits so for SIGTERM."""
    is_futex = waiting.object is not None and waiting.object[0] == "futex"
    posted = is_futex and posix.is_sem_wait(*waiting.arguments[1:3])
    return posted and has_handlers(signals.describe(look.seen[pid].status))


def _limited(look: Look, waiting: blocked.Waiting, held: Held | None) -> bool | None:
    if waiting.timed in (True, False, None):
        return waiting.timed
    if held is None:
        return None
    if held.link.startswith(b"socket:"):
        return _socket_timed(look, str(waiting.timed), held)
    if held.link == b"anon_inode:[timerfd]" and held.info is not None:
        return not any(line.startswith(b"it_value: (0, 0)") for line in held.info.more)
    return False


def _socket_timed(look: Look, limit: str, held: Held) -> bool | None:
    try:
        with look.copy(held.pid, held.fd) as copy:
            return syscalls.socket_time_limit(copy, limit)
    except Vanished:
        return None
    except OSError as error:
        look.refused("whether sockets have a time limit", held.pid, error, attach=True)
        return None
