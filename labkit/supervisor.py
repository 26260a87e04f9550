"""The notebook's hold on its programs: a client of the one process that owns them all.

`connect()` gives this process's `Supervisor`, and starts the owner (`python -m labkit.supervisor`, a
process of its own) when there is none. The two talk over a socket pair. If the notebook's process
ends, the owner ends every program; if the owner ends, this process inherits them (it is a subreaper
while programs run), ends exactly those, and the next program gets a new owner.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from labkit import changes, names
from labkit.errors import LabError
from labkit.kernel import syscalls, two_users
from labkit.owner import journal, wire
from labkit.owner.inheriting import end_family
from labkit.owner.watchdog import PATIENCE_S, Watchdog
from labkit.process import OnEvent, OnOutput, Program
from labkit.programs import Command
from labkit.scene import Scene

__all__ = ["Program", "Supervisor", "Watch", "connect", "current"]

_OWNER_ENDS_S = 10
"""Who has closed his socket has ended soon after."""


class Watch:
    """A stream of pictures to one callback, until closed."""

    def __init__(
        self, supervisor: Supervisor, callback: Callable[[dict[str, Any]], None], names: Iterable[str]
    ) -> None:
        self._supervisor = supervisor
        self.callback = callback
        self.names = frozenset(names)

    def close(self) -> None:
        """No callback begins after this."""
        self._supervisor.unwatch(self)


class Supervisor:
    """One owner process and the programs it runs."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket = ours
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._adopting = threading.Lock()
        self._was_subreaper: bool | None = None
        self._numbers = itertools.count(1)
        self._programs: dict[int, Program] = {}
        self._watches: list[Watch] = []
        self._picture = changes.EMPTY
        self._replies: dict[int, dict[str, Any]] = {}
        self.pid: int | None = None
        self.notebook: int | None = None
        self._journal = ""
        self.alive = True
        self._process = self._start_owner(theirs)
        theirs.close()
        with contextlib.suppress(OSError):
            syscalls.allow_tracer(self._process.pid)
        self._listener = threading.Thread(target=self._listen, name="labkit-supervisor", daemon=True)
        self._listener.start()

    @staticmethod
    def _start_owner(theirs: socket.socket) -> subprocess.Popen[bytes]:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        with two_users.handed_on():
            return subprocess.Popen(
                [sys.executable, "-m", "labkit.supervisor", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )

    # --- programs -----------------------------------------------------------------------------------

    def start(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
        on_event: OnEvent | None = None,
        stdin: str | None = None,
        terminal: bool = False,
        timeout: float | None = None,
        other_user: bool = False,
        records: bool = False,
    ) -> Program:
        """Start a program. `on_output(program, 1 or 2, bytes)` is called in a background thread.

        Of very much output it is told the beginning and the end. `records`: the program is one of ours that
        records others; of that it is told all.
        """
        number = next(self._numbers)
        program = Program(self, number, command, self._free_name(command.name))
        program.on_output, program.on_event = on_output, on_event
        self._programs[number] = program
        self._adopt()
        order = {
            "do": "start",
            "id": number,
            "name": program.name,
            "argv": list(command.argv),
            "env": dict(command.env),
            "cwd": command.cwd,
            "stdin": "text" if stdin is not None else "terminal" if terminal else "nothing",
            "timeout": timeout,
            "other_user": other_user,
            "records": records,
            "output": os.path.join(names.folder(), "output", f"{number}.txt"),
        }
        self.ask(order, (stdin or "").encode())
        self.wait_for(lambda: program.pid is not None or program.failure is not None or not self.alive)
        if program.pid is None:
            del self._programs[number]
            raise LabError(program.why_not_started())
        return program

    def programs(self) -> list[Program]:
        """Every program started so far, in order."""
        return list(self._programs.values())

    def _adopt(self) -> None:
        """While programs run, orphans of a dead owner shall come to this process."""
        with self._adopting:
            if self._was_subreaper is None:
                with contextlib.suppress(OSError):
                    self._was_subreaper = syscalls.is_subreaper()
                    syscalls.become_subreaper()

    def _adopt_no_more(self, last: Program) -> None:
        """When no other program runs: orphans of what plain cells start go to init again, as without us."""
        with self._adopting:
            others = any(p.alive for p in self._programs.values() if p is not last)
            if self._was_subreaper is False and not others:
                syscalls.become_subreaper(False)
                self._was_subreaper = None

    def _free_name(self, name: str) -> str:
        taken = {p.name for p in self._programs.values() if p.alive}
        if name not in taken:
            return name
        return next(n for i in itertools.count(2) if (n := f"{name} {i}") not in taken)

    # --- pictures -----------------------------------------------------------------------------------

    def scene(self, *, everything: bool = False) -> Scene:
        """One picture of all programs, now."""
        reply = self.asked({"do": "scene", "all": everything})
        return Scene() if reply is None else Scene.from_dict(reply["scene"])

    def watch(self, callback: Callable[[dict[str, Any]], None], names: Iterable[str] = ()) -> Watch:
        """Call `callback(scene)` in a background thread whenever the picture changes.

        A scene is a dictionary without clocks, never altered, in which what did not change since the
        last picture is the same as in that.
        """
        watch = Watch(self, callback, names)
        self._watches.append(watch)
        self.ask({"do": "watch", "on": True})
        return watch

    def unwatch(self, watch: Watch) -> None:
        """End one stream of pictures."""
        if watch in self._watches:
            self._watches.remove(watch)
        if not self._watches:
            self.ask({"do": "watch", "on": False})

    # --- the line to the owner ----------------------------------------------------------------------

    def ask(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send one message; a dead owner is noticed by the thread that reads."""
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(wire.encode(head, body))

    def asked(self, head: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request and wait for the reply; None when the owner died."""
        number = next(self._numbers)
        self.ask({**head, "reply": number})
        self.wait_for(lambda: number in self._replies or not self.alive)
        return self._replies.pop(number, None)

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something the owner said makes the condition true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def close(self) -> None:
        """End every program, and the owner with them."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait()
        self._listener.join()
        self._socket.close()

    def _listen(self) -> None:
        decoder = wire.Decoder()
        watchdog = Watchdog(lambda: self.ask({"do": "answer"}))
        while True:
            if self._silent():
                watchdog.silent(self._process.pid, self.notebook or 0)
                continue
            watchdog.heard()
            try:
                data = self._socket.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                break
            for head, body in decoder.feed(data):
                self._heard(head, body)
        self._owner_died()

    def _silent(self) -> bool:
        """Wait until the owner says something; True when it says nothing for long while programs run.

        One may begin while we wait, and stop the owner before that has told of it.
        """
        asked = select.poll()
        asked.register(self._socket, select.POLLIN)
        while not asked.poll(PATIENCE_S * 1000):
            if any(not program.gone for program in list(self._programs.values())):
                return True
        return False

    def _heard(self, head: dict[str, Any], body: bytes) -> None:
        event = head["event"]
        program = self._programs.get(head.get("id", 0))
        if event == "output" and program is not None:
            with _reported():
                program.wrote(head["stream"], body)
            return
        if event == "scene":
            before = changes.EMPTY if head["begins"] else self._picture
            self._picture = changes.applied(before, head["change"])
            for watch in list(self._watches):
                with _reported():
                    watch.callback(self._picture)
            return
        if event == "ready":
            self.pid, self.notebook, self._journal = head["pid"], head["notebook"], head["journal"]
        elif event == "reply":
            self._replies[head["id"]] = head
        elif program is not None:
            self._note(program, head)
        with self._changed:
            self._changed.notify_all()

    def _note(self, program: Program, head: dict[str, Any]) -> None:
        event = head["event"]
        if event == "started":
            program.pid = head["pid"]
        elif event == "failed":
            program.failure = head
            program.done = program.gone = True
        elif event == "exit":
            program.status, program.why = head["status"], head["why"]
            program.limit = head.get("limit", "")
        elif event == "asking":
            program.asking = head["asking"]
        elif event == "timeout":
            program.scene = Scene.from_dict(head["scene"])
        elif event == "done":
            program.left = head["left"]
        if program.on_event is not None and event != "failed":
            with _reported():
                program.on_event(program, head)
        if event == "gone":
            self._adopt_no_more(program)
        program.done |= event in ("done", "gone")
        program.gone |= event == "gone"

    def _owner_died(self) -> None:
        """End exactly what the owner left to us, once it is gone: till then its children are its own."""
        self.alive = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_OWNER_ENDS_S)
        living = [p for p in self._programs.values() if not p.gone and p.pid is not None]
        for program in living:
            self._note(program, {"event": "exit", "status": program.status, "why": "owner"})
        if self.notebook is not None:
            end_family(self.notebook, journal.read(self._journal))
        for program in living:
            self._note(program, {"event": "gone"})
        with self._changed:
            self._changed.notify_all()


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """A mistake in somebody's callback must not end the thread that all programs depend on."""
    try:
        yield
    except Exception:
        logging.getLogger("labkit").exception("a callback failed")


_current: Supervisor | None = None
_connecting = threading.Lock()


def connect() -> Supervisor:
    """This process's supervisor; a new one when there is none or the last one died."""
    global _current
    with _connecting:
        if _current is None or not _current.alive:
            if _current is not None:
                _current.close()
            names.begin()
            _current = Supervisor()
            atexit.register(_current.close)
        return _current


def current() -> Supervisor | None:
    """The supervisor, if one was ever started."""
    return _current


if __name__ == "__main__":
    from labkit.owner import loop

    loop.main(int(sys.argv[1]), int(sys.argv[2]))
