"""One run of some programs under one schedule: at every point where several could go on, who does.

A *point* is where a process stands before a call that others could notice, or `sched_yield`, or its
beginning, or its going on after having waited. A *step* is one such call and all that the process then
does up to its next point. Where only one process could go on there is nothing to choose.

Some things are done at once, without asking, because no order of them can be told apart:

- calls that only the process itself can notice (`labkit/kernel/calls.py` marks them), `fork` among them;
- waiting for a child, and the end of a process that holds nothing others could miss;
- a child's beginning up to its first point, and a parent's going on after a fork or a wait.

Time is the conductor's own: who sleeps for a second is woken when it is chosen to be, in the order of times,
and nobody waits for a second. Only the clocks that a program can read know of it, so this ends after 50
such waits: a program that looks at a clock again and again must see it go on. `select` takes the time it
takes, and so do timers (`alarm`), and with them everything: they come when the clock says, not at every
point, so that their search is not complete.

A signal that comes while its receiver stands before a call comes before the call: its handler runs (or it
is stopped, or ended), and only then the call is made. (That it comes in the call is another order: the
receiver goes first, and waits.)

Of what is done without asking, the last two lines hold only as long as nobody looks. So each is watched:
whether the stretch wrote output or touched shared memory, whether a parent asks which child was first, or
somebody how many have a segment attached, whether one sends another a signal (then it matters when a handler
is set up and signals are blocked), asks for another's limits or sets them (then it matters when that one
does), or looks at a path where another makes or changes something. If so, `Noticed` is raised: the search
begins anew with that as a point. (Of `wait(NULL)` we take it that which child came is not asked.)

A call that would only wait is not offered: whoever would wait may as well stand before the call. That holds
as long as nobody counts who waits, or takes away what is waited for; that is watched likewise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.conductor import Conductor
from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Made, Task
from labkit.decode import friendly
from labkit.explore.blocking import would_block
from labkit.explore.footprint import (
    DEPENDS_ON_OTHERS,
    EVERYTHING,
    OUTPUT,
    SHARED_BY_THREADS,
    Footprint,
    independent,
    is_private,
    of_call,
)
from labkit.explore.paths import CHANGES, Paths
from labkit.explore.things import Things
from labkit.kernel.touch import Fresh, Touch

Notice = tuple[str, tuple[int, ...]]
"""What must be a point: (`birth`, `fork`, `wait`; whose), or (`exit`, `asleep`, `signals`, `limits`,
`looks`; ())."""

HURRIES = 50
"""Timed waits in a run that take no time. More would be those of one who waits for a clock to go on."""
_WNOHANG = 1
_ASLEEP: Notice = ("asleep", ())
_SIGNALS: Notice = ("signals", ())
"""One process sends another a signal: it is not the same before a handler is there, and after."""
_LIMITS: Notice = ("limits", ())
"""One process asks for another's limits or sets them: then it matters when that one sets its own."""
_LOOKS: Notice = ("looks", ())
"""One looks at a path where another makes, changes or removes something: "if it is not there, make it"."""
_SETS_SIGNALS = ("rt_sigaction", "rt_sigprocmask")
_BY_FD = ("pidfd_send_signal",)
_SENDS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", *_BY_FD)
_COUNTS_ATTACHED = (2, 13, 15)
"""IPC_STAT, SHM_STAT, SHM_STAT_ANY."""
_SEES_WAITING = (("semctl", 0), ("msgctl", 0), ("semctl", 14), ("semctl", 15))
"""IPC_RMID ends the waits of who waits, and not of who stands before the call; GETNCNT and GETZCNT count."""
_WAITS = ("wait4", "waitid")
_EXITS = ("exit", "exit_group")


class Noticed(Exception):
    """Something done without asking could be noticed after all."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice)
        self.notice = notice


class NotRepeatable(Exception):
    """The same choices are not on offer that were there before."""


class Redundant(Exception):
    """Whatever comes now has come, or will come, of another schedule."""


class TooLong(Exception):
    """One schedule has more points, or more ends of waits for a time, than may be: in words."""


@dataclass(slots=True)
class Decision:
    """A point where several could go on: who, and who did."""

    offers: tuple[str, ...]
    chosen: int
    footprint: Footprint = EVERYTHING
    """What the chosen step touched."""
    asleep: frozenset[str] = frozenset()
    """Offers that need not be tried here: what comes of them comes of others too."""


@dataclass(slots=True)
class Run:
    """Leads a conductor's programs along `prefix`, and after it always takes the first."""

    conductor: Conductor
    prefix: Sequence[int] = ()
    known: frozenset[Notice] = frozenset()
    exhaustive: bool = False
    expected: Sequence[tuple[str, ...]] = ()
    """What must be on offer at each decision of the prefix."""
    tried: Sequence[Mapping[str, Footprint]] = ()
    """At each decision of the prefix: other offers that have been tried, and what they touched."""
    most_points: int = 5000
    most_wakes: int | None = None
    most_alone: int | None = None
    lead: Any = None
    """Who performs and approaches: the conductor, or a camera that films it."""
    decisions: list[Decision] = field(default_factory=list)
    points: int = 0
    wakes: int = 0
    alone: tuple[str, int] = ("", 0)
    """Who has gone last, and how many steps in a row."""
    stuck: bool = False
    _things: Things = field(default_factory=Things)
    _paths: Paths = field(default_factory=Paths)
    _ended: set[int] = field(default_factory=set)
    """Threads that have ended by a call of their own in the step that is made."""
    _sleep: dict[str, Footprint] = field(default_factory=dict)
    """Offers whose going first has been tried where they could as well have gone first."""

    def run(self) -> None:
        """To the end of all programs, or until nobody can go on."""
        self.lead = self.lead or self.conductor
        self._things = Things(self.conductor.processes)
        told = self.conductor.on_done

        def done(task: Task, call: Made) -> None:
            told(task, call)
            self._things.note(task, call)

        self.conductor.on_done = done
        self.conductor.is_point = self._is_looking
        self._without_asking()
        while self.conductor.tasks:
            self._check_looks()
            offers = self._offers()
            if not offers:
                if not self._dead_end():
                    return
                continue
            decided = len(offers) > 1
            task = offers[self._choose(offers)]
            self._bound(task)
            footprint = self._measured_step(task)
            if decided:
                self.decisions[-1].footprint = footprint
        self._check_looks()

    def _bound(self, task: Task) -> None:
        """Fails when there are too many steps in this schedule; `task` makes the next one."""
        self.points += 1
        if self.points > self.most_points:
            raise TooLong(f"still running after {self.most_points} points")
        self.wakes += _time_is_over(task)
        if self.most_wakes is not None and self.wakes > self.most_wakes:
            raise TooLong(f"{task.who} sleeps for a time, looks, and sleeps again")
        self.alone = task.who, self.alone[1] + 1 if self.alone[0] == task.who else 1
        if self.most_alone is not None and self.alone[1] > self.most_alone:
            raise TooLong(f"{task.who} goes on and on while nobody else does anything")

    def _measured_step(self, task: Task) -> Footprint:
        """A step, and what it touched. Who sleeps and has something in common with it wakes."""
        if self.exhaustive:
            self._step(task)
            self._without_asking()
            return EVERYTHING
        footprint = EVERYTHING
        if task.state == "call" and task.call is not None:
            footprint = self._footprint(task, task.call)
        self._ended = {task.tid} if task.call is not None and task.call.name in _EXITS else set()
        written, count = self.conductor.outputs.size, len(self.conductor.processes)
        self._sleep.pop(_describe(task), None)
        asleep = self._asleep_now()
        self._step(task)
        self._without_asking()
        if self.conductor.outputs.size != written:
            footprint |= OUTPUT
        ended = task.tid not in self.conductor.tasks
        unforeseen = task.signal_first or (ended and task.tid not in self._ended)
        if len(self.conductor.processes) != count or unforeseen:
            footprint = EVERYTHING
        self._sleep = {k: other for k, other in self._sleep.items() if independent(asleep[k], footprint)}
        return footprint

    def _asleep_now(self) -> dict[str, Footprint]:
        """What those who sleep would touch as things stand."""
        found = dict(self._sleep)
        for task in self.conductor.ready() if found else ():
            if task.state == "call" and task.call and task.call.name in DEPENDS_ON_OTHERS:
                if (key := _describe(task)) in found:
                    found[key] |= self._footprint(task, task.call)
        return found

    def _footprint(self, task: Task, call: Made) -> Footprint:
        return of_call(task, call, self._things, ("exit", ()) in self.known)

    # --- choosing ---------------------------------------------------------------------------------

    def _offers(self) -> list[Task]:
        ready = self.conductor.ready()
        if not self.exhaustive and len(ready) > 1:
            would_wait = [t for t in ready if self._would_only_wait(t)]
            ready = [t for t in ready if t not in would_wait]
            if would_wait and any(_sees_who_waits(t) for t in ready):
                self._notice(_ASLEEP)
        timed = self.conductor.next_timed()
        return [*ready, timed] if timed is not None else ready

    def _would_only_wait(self, task: Task) -> bool:
        """Its call would block. Where signals are at work, one may end the call, and then it is tried."""
        if task.state != "call" or task.call is None or self.conductor.signals or _ASLEEP in self.known:
            return False
        return would_block(task, task.call)

    def _choose(self, offers: list[Task]) -> int:
        keys = tuple(_describe(task) for task in offers)
        if len(offers) == 1:
            if keys[0] in self._sleep:
                raise Redundant
            return 0
        at = len(self.decisions)
        if at < len(self.tried) and not self.exhaustive:
            self._sleep.update(self.tried[at])
        awake = [i for i, key in enumerate(keys) if key not in self._sleep]
        if at >= len(self.prefix) and not awake:
            raise Redundant
        chosen = self.prefix[at] if at < len(self.prefix) else awake[0]
        if at < len(self.expected) and self.expected[at] != keys:
            raise NotRepeatable(f"there were {', '.join(self.expected[at])}, and now {', '.join(keys)}")
        self.decisions.append(Decision(keys, chosen, asleep=frozenset(self._sleep) & set(keys)))
        return chosen

    def _dead_end(self) -> bool:
        """Nobody is on offer. False: nobody ever will be."""
        blocked = [t for t in self.conductor.ready() if t.state == "call"]
        if blocked:
            for task in blocked:
                if task.state == "call":
                    self.lead.perform(task)
            return True
        if self.conductor.armed and self.conductor.wait_outside():
            self._without_asking()
            return True
        self.stuck = True
        return False

    # --- steps ------------------------------------------------------------------------------------

    def _step(self, task: Task) -> None:
        if task.deadline is not None and task.state in ("asleep", "fired"):
            self.conductor.fire(task)
            return
        if task.state == "call":
            self._perform(task)
            if task.stands("asleep"):
                return
        self._go_on(task)

    def _go_on(self, task: Task, watch: _Watch | None = None) -> None:
        """Until the task stands before a point, sleeps or has ended."""
        tasks = self.conductor.tasks
        while task.tid in tasks:
            if task.stands("ready", "new", "signal"):
                if task.state == "signal" and task.pending and task.pending.number == 17:
                    self._notice(("exit", ()))
                self.lead.approach(task)
            elif task.stands("call") and self._is_free(task):
                if task.call and task.call.name in _EXITS:
                    self._ended.add(task.tid)
                    if watch is not None:
                        watch.check(self)
                forks = task.call is not None and task.call.spec.result == "pid" and task.call.spec.own
                self._perform(task)
                if forks and task.stands("ready") and task.tid in tasks:
                    notice = "fork", task.process.path
                    if notice in self.known:
                        return
                    self._watched(task, notice)
                    return
            else:
                return

    def _perform(self, task: Task) -> None:
        assert task.call is not None
        self._look_for_observers(task, task.call)
        self.lead.perform(task)

    def _is_free(self, task: Task) -> bool:
        call = task.call
        assert call is not None
        if call.name in _WAITS:
            return not _options(call) & _WNOHANG
        if call.name in _EXITS:
            return self._ends_unnoticed(task)
        if call.name in _SETS_SIGNALS and _SIGNALS in self.known:
            return False
        if call.name == "prlimit64" and (_LIMITS in self.known or _is_anothers(task, call)):
            return False
        if call.name in SHARED_BY_THREADS and len(task.process.tasks) > 1:
            return False
        return call.spec.own or is_private(task, call)

    def _ends_unnoticed(self, task: Task) -> bool:
        if len(self.conductor.tasks) == 1:
            return True
        if ("exit", ()) in self.known or len(task.process.tasks) > 1:
            return False
        return not (self._things.taken_back(task.process) or _holds_something(task.process.pid))

    def _without_asking(self) -> None:
        """Newborn processes go up to their first point; who waited for a child goes on."""
        again = True
        while again:
            again = False
            for task in self.conductor.ready():
                kind = self._free_kind(task)
                if kind is not None and task.tid in self.conductor.tasks:
                    self._watched(task, (kind, task.process.path))
                    again = True

    def _free_kind(self, task: Task) -> str | None:
        kind = None
        if task.state == "new" and task.number == 1:
            kind = "birth"
        elif (task.state == "call" and task.call and task.call.name in _WAITS and self._is_free(task)) or (
            task.state == "ready" and task.call and task.call.name in (*_WAITS, "execve")
        ):
            kind = "wait"
        return None if kind is None or (kind, task.process.path) in self.known else kind

    def _watched(self, task: Task, notice: Notice) -> None:
        """Let a task go on without asking, and see whether anybody could notice."""
        watch = _Watch(task, notice, self.conductor)
        self._go_on(task, watch)
        if task.tid in self.conductor.tasks:
            watch.check(self)
        watch.check_output(self)

    # --- who looks ----------------------------------------------------------------------------------

    def _look_for_observers(self, task: Task, call: Made) -> None:
        """Whoever asks which child ended, or whether one has, makes ends a matter of order; and so on."""
        if call.name in CHANGES and len(self.conductor.tasks) > 1:
            self._paths.change(task, call)
        if call.name in _WAITS:
            children = [p for p in self.conductor.processes if p.parent is task.process and not p.reaped]
            asks_which = call.name == "waitid" or bool(call.args[1])
            any_child = call.name == "waitid" or signed32(call.args[0]) <= 0
            if _options(call) & _WNOHANG or (len(children) > 1 and asks_which and any_child):
                self._notice(("exit", ()))
        elif call.name == "kill" and signed32(call.args[0]) != task.process.pid and call.args[1] == 0:
            self._notice(("exit", ()))
        elif call.name in _SENDS and (call.name in _BY_FD or signed32(call.args[0]) != task.process.pid):
            self._notice(_SIGNALS)
        elif call.name == "prlimit64" and _is_anothers(task, call):
            self._notice(_LIMITS)
        elif call.name == "shmctl" and call.args[1] & 0xFF in _COUNTS_ATTACHED:
            if len(self.conductor.processes) > 1:
                self._notice(("exit", ()))

    def _is_looking(self, task: Task, call: Made) -> bool:
        """Is this look at a path a point? Who is alone races with nobody."""
        matters = len(self.conductor.tasks) > 1 and self._paths.look(task, call)
        return matters and _LOOKS in self.known

    def _check_looks(self) -> None:
        if self._paths.met:
            self._notice(_LOOKS)

    def _notice(self, notice: Notice) -> None:
        if notice not in self.known:
            raise Noticed(notice)


class _Watch:
    """Whether a stretch of a process's life wrote output or touched memory it shares."""

    def __init__(self, task: Task, notice: Notice, conductor: Conductor) -> None:
        self.notice = notice
        self.conductor = conductor
        self.alone = len(conductor.tasks) == 1
        self.written = conductor.outputs.size
        fresh = notice[0] == "birth"
        self.touch = None if self.alone else (Fresh if fresh else Touch)(task.process.pid)

    def check(self, run: Run) -> None:
        if self.touch is not None and self.touch.happened():
            run._notice(self.notice)

    def check_output(self, run: Run) -> None:
        if not self.alone and self.conductor.outputs.size != self.written:
            run._notice(self.notice)


def _time_is_over(task: Task) -> bool:
    """Its next step is the end of a wait with a time limit."""
    return task.deadline is not None and task.state in ("asleep", "fired")


def _describe(task: Task) -> str:
    """A choice in words that are the same in every run: who, and before what."""
    if task.state == "call" and task.call is not None:
        return f"{task.who}: {friendly(task.call)}"
    if _time_is_over(task):
        return f"{task.who}: its time is over"
    if task.state == "signal" and task.pending is not None:
        return f"{task.who}: signal {task.pending.number}"
    return f"{task.who}: {'begins' if task.state == 'new' else 'goes on'}"


def _sees_who_waits(task: Task) -> bool:
    """It stands before a call that counts who waits, or that ends their waits."""
    call = task.call
    if task.state != "call" or call is None or call.name not in ("semctl", "msgctl"):
        return False
    return (call.name, call.args[2 if call.name == "semctl" else 1] & 0xFF) in _SEES_WAITING


def _is_anothers(task: Task, call: Made) -> bool:
    """The process that this call names first is another one."""
    return signed32(call.args[0]) not in (0, task.process.pid)


def _options(call: Made) -> int:
    return call.args[3 if call.name == "waitid" else 2]


def _holds_something(pid: int) -> bool:
    """The process has a pipe, a socket or a lock, which others will miss when it ends."""
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
        for fd in fds:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if link.startswith(("pipe:", "socket:", "anon_inode:")) or _is_special(pid, fd, link):
                return True
    except OSError:
        return True
    return False


def _is_special(pid: int, fd: str, link: str) -> bool:
    """A FIFO, a queue, or a file that is locked through this descriptor."""
    import stat

    if link.startswith("/dev/"):
        return False
    if stat.S_ISFIFO(os.stat(f"/proc/{pid}/fd/{fd}").st_mode):
        return True
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
        return "lock:" in file.read()
