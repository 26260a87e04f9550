"""What a criterion is handed: the answer, to be started as real processes and watched from outside.

    r, w = answer.pipe()
    running = answer.call("write_all", w, data)     # a descriptor that is given away is no longer ours
    running.wait_asleep()                           # the pipe is full
    running.signal("SIGUSR1")
    received = r.read_all()                         # until the end
    running.result()                                # waits for its end; fails when it raised

All waiting is done in one place, `Answer.wait`, which meanwhile reads what the answer prints and claims,
looks whether it is in a deadlock, and ends the criterion when its time is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labkit import compiler
from labkit.exercises import Failed, fail
from labkit.exploration import Exploration
from labkit.judge import hangs
from labkit.judge.cage import ANSWER, Cage
from labkit.judge.crashes import CELL
from labkit.judge.ends import End
from labkit.judge.running import Running
from labkit.judge.sandbox import LIMITS
from labkit.judge.watch import EVERY_S, is_small
from labkit.reports import printable
from labkit.scene import Scene

PROGRAM = "your program"
UNCOUNTED = 2
"""How many times an answer's own time the judge may take in addition, to look at it."""
MOST_SEEN = 16
"""More processes than these make no picture that anybody could read."""
LOOKS = 1, 4, 16, 64, 256
"""Schedules of an exploration after which one looks at what was found so far."""
FIRST_LOOK = 0.05
"""Seconds of silence after which an answer is looked at for the first time: is it in a deadlock?"""


class TimeUp(Failed):
    """The time of a criterion is over."""


class Answer:
    """An answer's text, and the means to run it."""

    def __init__(
        self,
        text: str,
        cage: Cage,
        seconds: float,
        language: str = "python",
        listen: Callable[[], None] = lambda: None,
    ) -> None:
        self.text = text
        self.language = language
        self.folder = cage.fresh_folder()
        """The answer's working directory, by the path it has there; empty at the start."""
        self.runs: list[Running] = []
        self._cage = cage
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._latest = self._deadline + UNCOUNTED * seconds
        self._listen = listen
        self._limits = LIMITS | {"RLIMIT_CPU": int(seconds) + 1}
        self._ends: list[End] = []
        self._put: set[str] = set()
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[], object]] = {}

    # --- things to give to an answer ---

    def pipe(self, capacity: int | None = None) -> tuple[End, End]:
        """A new pipe, as (read end, write end); `capacity` in bytes where it matters."""
        r, w = self._whole_pipe()
        if capacity is not None:
            fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, capacity)
        return End(self, r, os.O_RDONLY), End(self, w, os.O_WRONLY)

    def _whole_pipe(self) -> tuple[int, int]:
        """A pipe of the usual size; a smaller one is what is left when somebody has taken too many."""
        r, w = os.pipe()
        for _ in range(3):
            if not is_small(w):
                break
            os.close(r)
            os.close(w)
            self._cage.watch(at_once=True)
            r, w = os.pipe()
        self._give(w)
        return r, w

    def _give(self, fd: int) -> None:
        """Let the answer open it by its name in /proc, too, where it is another user than we."""
        if self._cage.wall.uid is not None:
            os.fchown(fd, self._cage.wall.uid, self._cage.wall.uid)

    def fresh_bytes(self, count: int) -> bytes:
        """So many bytes that nobody can know beforehand."""
        return os.urandom(count)

    # --- running it ---

    def call(self, function: str, *arguments: Any, handle: Sequence[str] = ()) -> Running:
        """Start a process that defines what is in the cell and calls one function of it."""
        given = [argument for argument in arguments if isinstance(argument, End)]
        job = {"do": "call", "function": function, "arguments": _plain(arguments, given)}
        return self._start(function, job, given, handle)

    def run(
        self, *given: End, stdin: End | None = None, arguments: Sequence[str] = (), handle: Sequence[str] = ()
    ) -> Running:
        """Start the cell as a program of its own; ends given become its descriptors 3, 4, 5…"""
        job: dict[str, Any] = {"do": "run", "arguments": list(arguments)}
        if self.language != "python":
            job = {"do": "exec", "argv": [*self._program(), *arguments]}
        return self._start(PROGRAM, job, list(given), handle, stdin)

    def beside(self, name: str, text: str, *given: End, arguments: Sequence[str] = ()) -> Running:
        """Start a Python program of the check's own in the answer's room: a partner, a stranger.

        It lives where the answer lives, so what it says is a claim like any other.
        """
        job: dict[str, Any] = {"do": "run", "text": text, "arguments": list(arguments)}
        return self._start(name, job, list(given), ())

    def _program(self) -> list[str]:
        """The command that runs a cell in shell or C."""
        if self.language == "shell":
            return [shutil.which("bash") or "/bin/sh", "-c", self.text, PROGRAM]
        if self.text not in self._cage.built:
            self._cage.built[self.text] = self._compiled()
        return [self._cage.built[self.text]]

    def _compiled(self) -> str:
        """The path of the program made from C; fails with what the compiler said."""
        folders = self._cage.folders
        folders.renew("program")
        source = folders.put("program", "cell.c", f'#line 1 "{CELL}"\n{self.text}'.encode(errors="replace"))
        program = f"{folders.path('program')}/program"
        running = self._start("gcc", {"do": "exec", "argv": compiler.command(source, program)}, [], ())
        running.wait_ended()
        self.runs.remove(running)
        if running.status != 0:
            said = compiler.explain(running.output, CELL, self.text, 1)
            fail("It does not compile.", printable(said))
        return program

    def _start(
        self,
        name: str,
        job: dict[str, Any],
        given: list[End],
        handle: Sequence[str],
        stdin: End | None = None,
    ) -> Running:
        job = {"text": self.text} | job
        job |= {
            "folder": self.folder,
            "handle": [int(getattr(signal, name)) for name in handle],
        }
        job |= {"limits": self._limits, "environment": _environment()}
        out, theirs = os.pipe()
        self._give(theirs)
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            stdio = [stdin.fd if stdin else null, theirs, theirs]
            with self._uncounted():
                spawned = self._cage.spawn(job, stdio, [end.fd for end in given])
        finally:
            os.close(theirs)
            os.close(null)
        for end in {*given, *([stdin] if stdin else [])}:
            end.close()
        own = job["text"] is self.text
        running = Running(self, name, spawned.pid, spawned.pidfd, spawned.claims, out, own)
        self.runs.append(running)
        return running

    def explore(
        self,
        *programs: str,
        language: str | None = None,
        most: int = 2000,
        seconds: float = 5,
        wakes: int | None = None,
        alone: int | None = None,
        look: Callable[[Exploration], object] = lambda found: None,
    ) -> Exploration:
        """Every outcome of these programs (the cell itself, when none is given), over every schedule.

        So that nobody gets by without marks, a check adds to the cell what is to be protected: a `step()`
        of its own, say, that yields between its load and its store. `look` is shown now and then what was
        found so far: when it fails, the rest need not be tried.
        """
        named = [
            (f"program {n}" if len(programs) > 1 else PROGRAM, text) for n, text in enumerate(programs, 1)
        ]
        job: dict[str, Any] = {"programs": named or [(PROGRAM, self.text)]}
        job |= {"language": language or self.language}
        job |= {
            "most": most,
            "seconds": seconds,
            "limits": self._limits,
            "looks": LOOKS,
            "wakes": wakes,
            "alone": alone,
        }
        exploring = self._cage.explore(job)
        over: list[bool] = []
        self.listen(exploring.fd, select.POLLIN, lambda: over.append(True) if not exploring.read() else None)

        def looked() -> bool:
            for found in exploring.so_far():
                look(Exploration.from_dict(found))
            return bool(over)

        try:
            self.wait(looked)
            found = exploring.result()
        except TimeUp:
            fail(
                f"Not every order could be tried in {self._seconds:g} seconds. Does somebody look again and "
                "again, instead of sleeping until it is time? Then there is no end to the orders."
            )
        finally:
            self.forget(exploring.fd)
            exploring.close()
        if "problem" in found:
            fail(f"Not every order could be tried: {printable(str(found['problem']), 300)}")
        return Exploration.from_dict(found["exploration"])

    # --- seeing it ---

    def scene(self) -> Scene:
        """An X-ray of everything of the answer's, now."""
        pids = [run.pid for run in self.runs if not run.ended]
        with self._uncounted():
            return self._cage.witness.scene(pids, {run.pid: run.name for run in self.runs})

    def crowd(self) -> bool:
        """True: of so many processes no picture is made."""
        return len(self._cage.processes()) > MOST_SEEN

    def processes(self) -> list[int]:
        """The pids of everything of the answer's that is alive now."""
        return self._cage.processes()

    def files(self) -> list[str]:
        """The names in the answer's folder, but for what the judge put there, in order."""
        return [name for name in self._cage.folders.names(ANSWER) if name not in self._put]

    def put(self, name: str, data: bytes) -> str:
        """A file for the answer, in its folder; its path there."""
        self._put.add(name)
        return self._cage.folders.put(ANSWER, name, data)

    def get(self, name: str) -> bytes | None:
        """What is in a file of the answer's folder; None when there is no such file."""
        return self._cage.folders.get(ANSWER, name)

    @property
    def ended(self) -> bool:
        """True when every process that was started has ended."""
        return all(run.ended for run in self.runs)

    def objects(self) -> list[str]:
        """What is there now that can outlive a process, in words: `a System V semaphore set`."""
        return sorted(self._cage.objects().values())

    # --- waiting ---

    def listen(self, fd: int, events: int, callback: Callable[[], object]) -> None:
        """While waiting, call this when the descriptor has such events."""
        self._callbacks[fd] = callback
        self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        if self._callbacks.pop(fd, None):
            self._poll.unregister(fd)

    def wait(self, until: Callable[[], bool], *, every: float = EVERY_S, hang: bool = True) -> None:
        """Wait for a condition, looking again `every` so many seconds at least.

        Fails when the answer is in a deadlock (unless told not to care) and when time is over.
        """
        look = time.monotonic() + FIRST_LOOK
        while not until():
            self._listen()
            self._cage.watch()
            now = time.monotonic()
            if now >= self._deadline:
                raise self._time_up()
            if hang and now >= look:
                self._fail_if_stuck(until)
                look = time.monotonic() + 0.5
            self._turn(min(every, look - now if hang and look > now else every, self._deadline - now))

    def wait_quiet(self, until: Callable[[], bool], seconds: float = 0.5) -> bool:
        """Wait for a condition, but not for long, and without complaint if it does not come: False then."""
        end = time.monotonic() + seconds
        while not (there := until()) and time.monotonic() < end:
            self._turn(0.005)
        return there

    @contextlib.contextmanager
    def _uncounted(self) -> Iterator[None]:
        """The judge's own time is not the answer's; up to a limit, for looks can be made slow."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._deadline = min(self._deadline + time.monotonic() - started, self._latest)

    def _turn(self, seconds: float) -> None:
        """Handle what comes within so many seconds."""
        for fd, _ in self._poll.poll(max(seconds, 0) * 1000):
            if fd in self._callbacks:
                self._callbacks[fd]()

    def _fail_if_stuck(self, until: Callable[[], bool]) -> None:
        pids = [run.pid for run in self.runs if not run.ended]
        if self.crowd():
            return
        stuck = hangs.deadlock(self.scene(), pids) if pids else None
        if stuck and not until():
            raise Failed(f"It never ends: {stuck.because}", stuck.picture)

    def _time_up(self) -> TimeUp:
        if self.crowd():
            return TimeUp(f"Not done after {self._seconds:g} seconds, with more than {MOST_SEEN} processes.")
        if self.runs and self.ended and self._cage.processes():
            return TimeUp(
                f"Not done after {self._seconds:g} seconds: it ended, and left a process of its own at work."
            )
        said = hangs.describe(self.scene())
        return TimeUp(f"Not done after {self._seconds:g} seconds{said.because}.", said.picture)

    def explained(self, picture: str) -> str:
        """A picture of a failure, and what else may help to understand it."""
        asides = [aside for run in self.runs for aside in run.asides() if aside not in picture]
        return "\n".join(filter(None, [picture, *dict.fromkeys(asides)]))

    def close(self) -> None:
        """Let go of everything; the processes are the cage's to end."""
        for run in self.runs:
            run.close()
        for end in list(self._ends):
            end.close()


def _numbers(names: Sequence[str]) -> list[int]:
    return [int(getattr(signal, name)) for name in names]


def _plain(arguments: Sequence[Any], given: list[End]) -> list[Any]:
    """Arguments as plain data; an end becomes the number that the answer will know it by."""
    plain: list[Any] = []
    for argument in arguments:
        if isinstance(argument, End):
            plain.append(3 + given.index(argument))
        elif isinstance(argument, bytes):
            plain.append(bytes(argument))
        else:
            plain.append(argument)
    return plain


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("LABKIT_ROOM", "LC_"))}
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": "/", **kept}
