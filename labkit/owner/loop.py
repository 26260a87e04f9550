"""The owner of a notebook's programs: one process, one thread, one loop.

It starts every program, is the ancestor of all that comes of them, reads what they write, keeps their
time, takes pictures of them and, when the notebook's process ends for whatever reason, ends them all
and removes what was theirs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from labkit import names
from labkit.kernel import inotify, remains, syscalls
from labkit.owner import limits, marks, wire
from labkit.owner.belongings import Belongings
from labkit.owner.family import Family, send, state
from labkit.owner.inheriting import sweep
from labkit.owner.notebook import Notebook
from labkit.owner.pictures import Pictures
from labkit.owner.program import GRACE_S, TICK_S, Program
from labkit.owner.requests import Requests
from labkit.owner.stdin import Stdin

_MOST_HELD = 64
"""What so many processes hold is looked at while they run; of more, only at the end."""

_BACKLOG_BYTES = 4_000_000
"""While this much waits for the notebook, programs that write have to wait too."""


class Owner:
    """The loop and all it holds."""

    def __init__(self, sock: socket.socket, notebook_pid: int) -> None:
        self.socket = sock
        self.sender = wire.Sender(sock)
        self.decoder = wire.Decoder()
        self.notebook_pid = notebook_pid
        self.notebook = marks.new_notebook()
        self.family = Family(self.notebook)
        self.programs: dict[int, Program] = {}
        """Those of which some process still lives, by number."""
        self.belongings = Belongings.begin(self.notebook, own_folder())
        self.notebook_process = Notebook(notebook_pid)
        self.pictures = Pictures(self)
        self.requests = Requests(self)
        self.stdin = Stdin(self)
        self.running = True
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self.next_tick = 0.0
        self._next_inventory = 0.0
        self._listening_to_output = True
        self._creations: int | None = None

    # --- the loop -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the notebook's process is gone or says goodbye."""
        syscalls.become_subreaper()
        # A program may have stopped us when the notebook's end comes.
        syscalls.die_with_parent(signal.SIGCONT)
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._asked_to_go)
        self.add(wake, self._on_signal)
        self.add(self.socket.fileno(), self._on_message)
        with contextlib.suppress(OSError):
            self.add(syscalls.pidfd_open(self.notebook_pid), self._on_notebook_end)
        with contextlib.suppress(OSError):
            self._creations = inotify.creations_in(remains.SHM)
        who = {"pid": os.getpid(), "notebook": self.notebook, "journal": self.belongings.journal.path}
        self.tell({"event": "ready", **who})
        sweep()
        try:
            while self.running:
                self._turn()
        finally:
            self._end_all()

    def add(self, fd: int, handler: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Call `handler(fd)` when there is something to read (or whatever `events` says)."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def hears(self, fd: int) -> bool:
        """Is this descriptor listened to?"""
        return fd in self._handlers

    def remove(self, fd: int) -> None:
        """The inverse of `add`."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def mind_creations(self) -> None:
        """Listen for what comes into /dev/shm while programs run, and only then."""
        if self._creations is None or bool(self.programs) == self.hears(self._creations):
            return
        if self.programs:
            self.add(self._creations, self._on_creation)
        else:
            self.remove(self._creations)

    def tell(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send a message to the notebook."""
        self.sender.send(head, body)

    def _turn(self) -> None:
        self._balance()
        for fd, _ in self._epoll.poll(self._patience()):
            if fd in self._handlers:
                self._handlers[fd](fd)
        if self.programs and time.monotonic() >= self.next_tick:
            self.next_tick = time.monotonic() + TICK_S
            self._tick()
        self.pictures.perhaps()

    def _patience(self) -> float | None:
        if not self.programs:
            return None if self.pictures.next_look is None else 0.1
        until = self.next_tick
        if self.pictures.next_look is not None:
            until = min(until, self.pictures.next_look)
        return max(until - time.monotonic(), 0)

    def _balance(self) -> None:
        """Do not read from programs faster than the notebook reads from us."""
        self.sender.flush()
        mask = select.EPOLLIN | (select.EPOLLOUT if self.sender.waiting else 0)
        self._epoll.modify(self.socket.fileno(), mask)
        listen = len(self.sender.waiting) < _BACKLOG_BYTES
        if listen != self._listening_to_output:
            self._listening_to_output = listen
            for program in self.programs.values():
                for fd in program.streams:
                    self._epoll.modify(fd, select.EPOLLIN if listen else 0)

    # --- what happens -------------------------------------------------------------------------------

    def _on_signal(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 4096)
        self.reap()

    def _on_creation(self, fd: int) -> None:
        """Something new is in /dev/shm: look at once, while whoever made it still holds it."""
        os.read(fd, 65536)
        self._inventory()

    def _on_notebook_end(self, fd: int) -> None:
        self.running = False

    def _asked_to_go(self, *_: object) -> None:
        self.running = False

    def _on_message(self, fd: int) -> None:
        try:
            data = self.socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.running = False
        for head, body in self.decoder.feed(data):
            self.requests.answer(head, body)

    def on_output(self, program: Program, fd: int) -> None:
        """Take what a program wrote."""
        if not program.read(fd):
            self.remove(fd)
            program.close(fd)
        if program.output.full and program.why is None:
            program.limit = limits.in_words(program.output.total)
            self.end(program, "output")

    def reap(self) -> None:
        """Take note of every child that ended, ours or adopted."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self._reaped(pid, status)
        self._settle()

    def _reaped(self, pid: int, status: int) -> None:
        self.family.forget(pid)
        for program in self.programs.values():
            if program.pid == pid and program.status is None:
                self._drain(program)
                program.ended(status)

    def _drain(self, program: Program) -> None:
        for fd in list(program.streams):
            self.on_output(program, fd)

    def _settle(self) -> None:
        """Find programs whose session, or whose whole family, has come to its end."""
        ended = [p for p in self.programs.values() if p.status is not None]
        if not ended:
            return
        self.family.look()
        for program in ended:
            left = [state(pid) for pid in self.family.of(program.mark)]
            alive = [s for s in left if s is not None and s.state not in "ZX"]
            if not program.done and not any(s.session == program.session for s in alive):
                self._done(program, len(alive))
            if not alive:
                self._gone(program)

    def _done(self, program: Program, left: int) -> None:
        self._drain(program)
        program.done = True
        if not left:
            program.finish_output()
        self.tell({"event": "done", "id": program.number, "left": left})

    def _gone(self, program: Program) -> None:
        self._drain(program)
        for fd in list(program.streams):
            self.remove(fd)
            program.close(fd)
        if program.stdin is not None:
            self.stdin.close(program)
        program.finish_output()
        del self.programs[program.number]
        self.mind_creations()
        self.tell({"event": "gone", "id": program.number})

    def _tick(self) -> None:
        if self.family.bursts():
            self._end_bombs()
        self.family.look()
        self.family.tick()
        now = time.monotonic()
        for program in list(self.programs.values()):
            if program.deadline is not None and now > program.deadline and not program.done:
                self._out_of_time(program)
            over = limits.exceeded(self.family.of(program.mark))
            if over is not None:
                self._over_limit(program, *over)
            if program.stdin_is_terminal:
                self.stdin.notice_asking(program)
            if program.asked_to_end is not None and now > program.asked_to_end:
                program.asked_to_end = None
                self.kill(program.mark)
        self._settle()
        self._inventory()

    def _end_bombs(self) -> None:
        """Processes come faster than they can be counted: stop all, count, let the innocent go on."""
        self.family.freeze()
        for program in self.programs.values():
            over = limits.exceeded(self.family.of(program.mark))
            if over is not None:
                self._over_limit(program, *over)
            else:
                self.family.thaw(program.mark)

    def _over_limit(self, program: Program, why: str, limit: str) -> None:
        if program.why is None:
            program.why, program.limit = why, limit
        self.family.kill(program.mark)

    def _inventory(self) -> None:
        """See what the programs hold; how often depends on how long it takes, so that it costs little."""
        began = time.monotonic()
        if began < self._next_inventory or len(self.family.members) > _MOST_HELD or self.family.swarms():
            return
        self.belongings.look(self.family.members, self.family.ever)
        self._next_inventory = time.monotonic() + 20 * (time.monotonic() - began)

    def _out_of_time(self, program: Program) -> None:
        program.deadline = None
        standing = {"seconds": program.seconds, "scene": self.pictures.of(program)}
        self.tell({"event": "timeout", "id": program.number, **standing})
        self.end(program, "timeout")

    def end(self, program: Program, why: str) -> None:
        """Ask politely, and see to it that it ends."""
        program.why = program.why or why
        self.family.look()
        self.belongings.look(self.family.members, self.family.ever)
        for pid in self.family.of(program.mark):
            send(pid, signal.SIGTERM)
            send(pid, signal.SIGCONT)
        program.asked_to_end = time.monotonic() + GRACE_S

    def kill(self, mark: int | None) -> None:
        """End a program, or all, for certain; while they stand still, see what they hold."""
        self.family.freeze(mark)
        self.belongings.look(self.family.members, self.family.ever)
        self.family.kill(mark)

    def _end_all(self) -> None:
        self._dismiss_recorders()
        self.kill(None)
        self.reap()
        while self.family.living():
            self.family.kill()
            signal.sigtimedwait({signal.SIGCHLD}, 0.01)
            self.reap()
            self.family.look(always=True)
        self.reap()
        self.belongings.remove()

    def _dismiss_recorders(self) -> None:
        """Whoever records programs knows what they made, and removes it if there is time."""
        recorders = [p.pid for p in self.programs.values() if p.records and p.status is None]
        for pid in recorders:
            send(pid, signal.SIGTERM)
            send(pid, signal.SIGCONT)
        until = time.monotonic() + GRACE_S
        while time.monotonic() < until and any(pid in self.family.living() for pid in recorders):
            signal.sigtimedwait({signal.SIGCHLD}, 0.01)


def own_folder() -> str:
    """The notebook's scratch folder; a folder in it for an owner within a program of another owner."""
    folder = names.folder()
    file = os.path.join(folder, names.LOCK)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return os.path.join(folder, f"owner-{os.getpid()}")
    return folder


def main(descriptor: int, notebook_pid: int) -> None:
    """Be the owner: the socket to the notebook's process is `descriptor`."""
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as sock:
        Owner(sock, notebook_pid).run()
