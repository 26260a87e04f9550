"""One process of an answer, as its judge sees it: asleep or not, what it printed, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from labkit.errors import Vanished
from labkit.exercises import fail
from labkit.judge import claims, crashes
from labkit.judge.cage import exit_status, sender
from labkit.judge.resting import NAPS, at_rest, effort, is_pending, sleeping_in, state_of
from labkit.kernel import proc
from labkit.reports import printable
from labkit.waits.seen import Seen

if TYPE_CHECKING:
    from labkit.judge.answers import Answer
    from labkit.scene import Blocked

MOST_OUTPUT = 1 << 20
MOST_CLAIMS = 32 << 20
MOST_TRYING_NS = 50_000_000
"""Who has run so long without a sleep will not sleep."""
LONG_NS = 300_000_000
"""Who has run so long, and hardly slept, has looked more than often enough."""
WATCHED_S = 1
"""For so long somebody who sleeps with a time limit is watched."""
SELDOM = 14
"""Who looks more often than so within that time looks again and again."""
LOOKED_AGAIN = 3
"""So often somebody has looked whether others are done, and will go on to do so: it is no single nap."""
HELPERS = {"futex", "wait4", "waitid"}
"""What sleeps in one of these waits for a thread or a child of its own."""
MOST_CHILDREN = 20
"""So many exceptions of children are kept."""
MOST_LAST_WORDS = 2000
"""Messages that may still be on their way when a process has ended; whoever sends more is not it."""


class Running:
    """One process of an answer, and what it starts."""

    def __init__(
        self, answer: Answer, name: str, pid: int, pidfd: int, claims: socket.socket, out: int, own: bool
    ) -> None:
        self.answer = answer
        self.name = name
        self.own = own
        """True when all that it prints are the answer's own words."""
        self.pid = pid
        self.status: int | None = None
        """Its exit status, or minus the number of the signal that ended it."""
        self.ended = False
        self.claims: list[dict[str, Any]] = []
        self._text = bytearray()
        self._pidfd, self._claims, self._out = pidfd, claims, out
        self._said: dict[int, bytearray] = {}
        self._claimed = 0
        self._children_raised: list[str] = []
        answer.listen(pidfd, select.POLLIN, self._on_end)
        answer.listen(claims.fileno(), select.POLLIN, self._on_claim)
        answer.listen(out, select.POLLIN, self._on_output)

    @property
    def output(self) -> str:
        """What it has written to its standard output and error."""
        return self._text.decode(errors="replace")

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return in_words(self.status)

    # --- waiting for it ---

    def wait_ended(self) -> Running:
        """Wait until this process has ended."""
        self.answer.wait(lambda: self.ended)
        return self

    def wait_asleep(self, *calls: str, otherwise: Callable[[], Any] | str = "") -> None:
        """Wait until all of it sleeps, every process and every thread: it has done what it can for now.

        With calls named, one of them must be among those that it sleeps in. When it ends instead:
        `otherwise`, a sentence to fail with or a function that finds one.
        """
        self.answer.wait(lambda: self.ended or self._rests_in(*calls), every=0.001, hang=False)
        if self.ended:
            self.check()
            if callable(otherwise):
                otherwise()
                otherwise = ""
            fail(otherwise or f"`{self.name}` returned, and did not wait.", self.printed())

    def _rests_in(self, *calls: str) -> bool:
        found = self._rests()
        return bool(found) and (not calls or not found.isdisjoint(calls))

    def rests(self) -> bool:
        """True while all of it sleeps."""
        return bool(self._rests())

    def _rests(self) -> set[str]:
        """The calls that its threads sleep in; nothing when one of them is awake."""
        return at_rest(self.pids()) if sleeping_in(self.pid) else set()

    def looks_again(self, *, times: int = 3, looks: int = 2000) -> None:
        """Wait until it has slept, and has gone to sleep so many times more; or until it has ended.

        Who hardly sleeps is known by the time that it has run; nobody is watched for more looks than these,
        a millisecond apart.
        """
        left, start, slept = iter(range(looks)), effort(self.pids()), list[int]()

        def looked() -> bool:
            now = effort(self.pids())
            if not slept and self.rests():
                slept.append(now.sleeps)
            again = bool(slept) and now.sleeps >= slept[0] + times
            return self.ended or again or now.cpu_ns > start.cpu_ns + LONG_NS or next(left, None) is None

        self.answer.wait(looked, every=0.001, hang=False)

    def wait_done(self) -> None:
        """Wait until it has done what it can for now: it has ended, or sleeps, or tries again and again."""
        before = effort(self.pids())

        def done() -> bool:
            tried = effort(self.pids()).cpu_ns - before.cpu_ns > MOST_TRYING_NS
            return self.ended or tried or self.rests()

        self.answer.wait(done, every=0.001, hang=False)

    def impatience(self) -> str:
        """What it does while there is nothing to do, in words; nothing when it sleeps until there is news.

        Nothing is said either of who looks again every now and then, or ends.
        """
        self.wait_done()
        before, calls = effort(self.pids()), set[str]()

        def known() -> bool:
            calls.update(self._rests())
            return self.ended or (self.sleeps_for_good() and not self._can_act_by_itself())

        if self.answer.wait_quiet(known, seconds=WATCHED_S):
            return ""
        if not calls:
            return "kept trying"
        if calls & NAPS and not calls - NAPS - HELPERS:
            return f"slept in `{min(calls & NAPS)}` and tried again"
        often = effort(self.pids()).sleeps - before.sleeps > SELDOM
        return "looked again and again, though nothing had happened" if often else ""

    def sleeps_for_good(self) -> bool:
        """True when all of it sleeps, and no thread in a call that ends by itself after a time."""
        waits = self._waits() if self.rests() and not self.answer.crowd() else []
        return bool(waits) and not any(wait is None or wait.timed for wait in waits)

    def _waits(self) -> list[Blocked | None]:
        """What each of its threads waits for now; None for one who does not."""
        scene, pids = self.answer.scene(), self.pids()
        each = (process.threads or (process,) for process in scene.processes if process.pid in pids)
        return [task.blocked for tasks in each for task in tasks]

    def _can_act_by_itself(self) -> bool:
        """True when an alarm may wake it."""
        scene = self.answer.scene()
        return any(Seen(scene).can_act_by_itself(process.pid) for process in scene.processes)

    def wait_settled(self) -> None:
        """Wait until nothing will change unless somebody else does something, or until it has ended.

        Whoever looks again every now and then whether its own threads and children are done changes nothing.
        """
        start: list[int] = []

        def settled() -> bool:
            if self.ended or self.sleeps_for_good():
                return True
            waits = self._waits() if self.rests() and not self.answer.crowd() else [None]
            others = [wait for wait in waits if wait is None or wait.call not in NAPS | HELPERS]
            if not others or any(wait is None or wait.timed for wait in others):
                return False
            sleeps = effort(self.pids()).sleeps
            start.append(sleeps)
            return sleeps >= start[0] + LOOKED_AGAIN

        self.answer.wait(settled)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """While this lasts it does nothing: whatever is done to it in here, it meets all at once."""
        self._send(signal.SIGSTOP)
        self.answer.wait(lambda: self.ended or state_of(self.pid) in "TtZX", every=0.001, hang=False)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def signal(self, name: str) -> None:
        """Send it a signal, and wait until it has been delivered (unless it is blocked there)."""
        number = getattr(signal, name)
        self._send(number)
        self.answer.wait_quiet(lambda: self.ended or not is_pending(self.pid, number))

    # --- what came of it ---

    def result(self) -> Any:
        """Wait for its end; what the function returned. Fails when it raised, or never returned."""
        self.wait_ended()
        self.children_raised()  # or came out of the function too, and said so with its last breath
        self.check()
        for claim in self.claims:
            if "returned" in claim:
                return claims.value(claim["returned"])
        return fail(f"`{self.name}` never returned: its process {in_words(self.status)}.", self.printed())

    def _children_rest(self) -> bool:
        """True when nobody else of the answer's has something to do."""
        calls = [sleeping_in(pid) for pid in self.pids()]
        return all(call is not None and call not in NAPS for call in calls)

    def pids(self) -> list[int]:
        """The pids of all of it that is still there: of the process, and of those in its session."""
        found = []
        for pid in self.answer.processes():
            with contextlib.suppress(Vanished):
                stat = proc.read_stat(pid)
                if stat.session == self.pid and stat.state not in "ZXTt":
                    found.append(pid)
        return found

    def check(self) -> None:
        """Fail when the answer raised an exception, is not there, or came back twice."""
        for claim in self.claims:
            if "missing" in claim:
                fail(f"There is no function `{printable(str(claim['missing']), 60)}` in your cell.")
            if "stray" in claim:
                fail(f"A child came out of `{self.name}` too: end it with `os._exit`.", self.printed())
            if "raised" in claim:
                fail(*self._crash(claim["raised"]))

    def raised(self, *kinds: str) -> str | None:
        """Wait for its end; the name of the exception it raised, or None.

        An exception that is made from another is that one too: the first of these kinds that it is.
        """
        self.wait_ended()
        names: list[str] = next((claim["raised"]["known"] for claim in self.claims if "raised" in claim), [])
        return next((name for name in (*kinds, *names) if name in names), None)

    def children_raised(self) -> str:
        """What its children raised, to be shown below a criterion. Whoever is still at work is waited for."""
        self.answer.wait_quiet(self._children_rest, seconds=5)
        self._hear_last_words()
        return "\n".join(self._told_of_children())

    def _told_of_children(self) -> list[str]:
        raised = sorted(set(self._children_raised))  # who came first is mere chance
        return [f"A child of `{self.name}` raised:\n{textwrap.indent(text, '  ')}" for text in raised[:2]]

    def _crash(self, raised: dict[str, Any]) -> tuple[str, str]:
        return crashes.told(raised, self.answer.text)

    def printed(self) -> str:
        """What it printed, to be shown below a criterion."""
        text = crashes.without_libraries(self.output, self.answer.text)
        lines = printable(text, 1000).splitlines()
        return "\n".join(["It printed:", *(f"  {line}" for line in lines[:10])]) if lines else ""

    def asides(self) -> list[str]:
        """What may help to understand a failure: what its children raised, what it printed."""
        crashed = any("raised" in claim for claim in self.claims)
        shown = [] if crashed else self._told_of_children()
        return shown + ([self.printed()] if self.own and self.output else [])

    # --- what comes in ---

    def _on_end(self) -> None:
        self.answer.forget(self._pidfd)
        self._hear_last_words()
        self.status = exit_status(self.pid)
        self.ended = True

    def _hear_last_words(self) -> None:
        for drain in (self._on_claim, self._on_output):
            any(not drain() for _ in range(MOST_LAST_WORDS))  # its children may go on for ever

    def _on_output(self) -> bool:
        """Keep what was printed, up to a limit. True when there may be more."""
        if not select.select([self._out], [], [], 0)[0]:
            return False
        data = os.read(self._out, 65536)
        self._text += data[: MOST_OUTPUT - len(self._text)]
        if not data:
            self.answer.forget(self._out)
        return bool(data) and not self.ended

    def _on_claim(self) -> bool:
        """Take one message of a claim; a message that is no claim of ours is passed over."""
        try:
            data, ancillary, _, _ = self._claims.recvmsg(65536, socket.CMSG_SPACE(12), socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            return False
        if not data:
            self.answer.forget(self._claims.fileno())
            return False
        self._claimed += len(data)
        pid = sender(ancillary)
        said = self._said.setdefault(pid, bytearray())
        if self._claimed <= MOST_CLAIMS:
            said += data[1:]
            if data[:1] == b".":
                self._keep(bytes(said), pid)
                said.clear()
        return True

    def _keep(self, said: bytes, pid: int) -> None:
        with contextlib.suppress(ValueError, RecursionError):
            claim = json.loads(said)
            if isinstance(claim, dict) and claims.fits(claim, pid == self.pid):
                self.claims.append(claim)
            elif isinstance(claim, dict) and "raised" in claim and claims.fits(claim, True):
                self._keep_of_child(claim["raised"])

    def _keep_of_child(self, raised: dict[str, Any]) -> None:
        if raised.get("type") != "SystemExit" and len(self._children_raised) < MOST_CHILDREN:
            self._children_raised.append(self._crash(raised)[1])

    def close(self) -> None:
        for fd in (self._pidfd, self._claims.fileno(), self._out):
            self.answer.forget(fd)
        os.close(self._pidfd)
        os.close(self._out)
        self._claims.close()


def in_words(status: int | None) -> str:
    """How a process ended: `exited with status 1`, `was ended by SIGKILL`."""
    if status is None:
        return "ended, nobody saw how"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"
