"""One process of an answer, as its judge sees it: asleep or not, what it printed, how it ended."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from labkit.errors import Vanished
from labkit.exercises import fail
from labkit.judge.cage import exit_status, sender
from labkit.kernel import proc
from labkit.kernel.numbers import name_of
from labkit.reports import printable

if TYPE_CHECKING:
    from labkit.judge.answers import Answer

MOST_OUTPUT = 1 << 20
MOST_CLAIMS = 32 << 20
MOST_TRYING_NS = 50_000_000
"""Who has run so long without a sleep will not sleep."""
MOST_LAST_WORDS = 2000
"""Messages that may still be on their way when a process has ended; whoever sends more is not it."""


class Running:
    """One process of an answer, and what it starts."""

    def __init__(
        self, answer: Answer, name: str, pid: int, pidfd: int, claims: socket.socket, out: int
    ) -> None:
        self.answer = answer
        self.name = name
        self.pid = pid
        self.status: int | None = None
        """Its exit status, or minus the number of the signal that ended it."""
        self.ended = False
        self.claims: list[dict[str, Any]] = []
        self._text = bytearray()
        self._pidfd, self._claims, self._out = pidfd, claims, out
        self._said: dict[int, bytearray] = {}
        self._claimed = 0
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

    def wait_asleep(self, *calls: str, otherwise: Callable[[], Any] | str = "") -> str:
        """Wait until it sleeps in a system call (one of these, where any are named); returns which.

        When it ends instead: `otherwise`, a sentence to fail with or a function that finds one.
        """
        found: list[str] = []

        def asleep() -> bool:
            call = None if self.ended else sleeping_in(self.pid)
            if call and (not calls or call in calls):
                found.append(call)
            return bool(found) or self.ended

        self.answer.wait(asleep, every=0.001, hang=False)
        if not found:
            self.check()
            if callable(otherwise):
                otherwise()
                otherwise = ""
            fail(otherwise or f"`{self.name}` returned, and did not wait.", self.printed())
        return found[0]

    def sleeps_in(self, *wanted: str, looks: int = 100) -> set[str]:
        """The system calls it is found asleep in, in so many looks a millisecond apart.

        Fewer looks do when one of the calls that are wanted is seen.
        """
        calls: set[str] = set()
        left = iter(range(looks))

        def looked() -> bool:
            if call := sleeping_in(self.pid):
                calls.add(call)
            return self.ended or not calls.isdisjoint(wanted) or next(left, None) is None

        self.answer.wait(looked, every=0.001, hang=False)
        return calls

    def looks_again(self, *calls: str, times: int = 3, looks: int = 2000) -> None:
        """Wait until it has slept in one of these calls and woken so many times, or has ended.

        Who does not sleep at all is watched for so many milliseconds.
        """
        left, slept = iter(range(looks)), [0]

        def looked() -> bool:
            if not slept[0] and sleeping_in(self.pid) in calls:
                slept[0] = sleeps(self.pid)
            again = slept[0] and sleeps(self.pid) >= slept[0] + times
            return self.ended or bool(again) or next(left, None) is None

        self.answer.wait(looked, every=0.001, hang=False)

    def wait_done(self) -> None:
        """Wait until it has done what it can for now: it has ended, or sleeps, or tries again and again."""
        used = cpu_ns(self.pid)
        self.answer.wait(
            lambda: self.ended or bool(sleeping_in(self.pid)) or cpu_ns(self.pid) > used + MOST_TRYING_NS,
            every=0.001,
            hang=False,
        )

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

    def waits_for_ever(self) -> bool:
        """True while it sleeps in a call that does not end by itself after a time."""
        process = self.answer.scene().process(self.pid)
        return bool(process and process.blocked and not process.blocked.timed)

    # --- what came of it ---

    def result(self) -> Any:
        """Wait for its end; what the function returned. Fails when it raised, or never returned."""
        self.wait_ended()
        self.answer.wait_quiet(self._children_rest, seconds=1)  # one may come out of the function too
        self.check()
        for claim in self.claims:
            if "returned" in claim:
                return _value(claim["returned"])
        return fail(f"`{self.name}` never returned: its process {in_words(self.status)}.", self.printed())

    def _children_rest(self) -> bool:
        """True when nobody else of the answer's has something to do."""
        return all(sleeping_in(pid) for pid in self._children())

    def _children(self) -> list[int]:
        """The pids of those of its session that are still there."""
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

    def raised(self) -> str | None:
        """Wait for its end; the name of the exception it raised, or None.

        Of an exception that the cell has made from another, it is the other's name.
        """
        self.wait_ended()
        names = [str(claim["raised"].get("known")) for claim in self.claims if "raised" in claim]
        return names[0] if names else None

    def _crash(self, raised: dict[str, Any]) -> tuple[str, str]:
        kind, message = str(raised.get("type")), str(raised.get("message"))
        lines = [*self._frames(raised.get("frames")), f"{kind}: {message}" if message else kind]
        return f"Your code raised {printable(kind, 60)}.", printable("\n".join(lines))

    def _frames(self, frames: Any) -> list[str]:
        source = self.answer.text.splitlines()
        shown = []
        theirs = [(number, name) for number, name in frames or [] if 0 < number <= len(source)]
        for number, function in theirs[-6:]:  # what a check has put behind the cell is none of their lines
            where = "" if function == "<module>" else f", in {function}"
            shown += [f"line {number}{where}", f"    {source[number - 1].strip()}"]
        return shown

    def printed(self) -> str:
        """What it printed, to be shown below a criterion."""
        lines = printable(self.output, 1000).splitlines()
        return "\n".join(["It printed:", *(f"  {line}" for line in lines[:10])]) if lines else ""

    # --- what comes in ---

    def _on_end(self) -> None:
        self.answer.forget(self._pidfd)
        for drain in (self._on_claim, self._on_output):
            any(not drain() for _ in range(MOST_LAST_WORDS))  # its children may go on for ever
        self.status = exit_status(self.pid)
        self.ended = True

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
            if isinstance(claim, dict) and _fits(claim, pid == self.pid):
                self.claims.append(claim)

    def close(self) -> None:
        for fd in (self._pidfd, self._claims.fileno(), self._out):
            self.answer.forget(fd)
        os.close(self._pidfd)
        os.close(self._out)
        self._claims.close()


def _fits(claim: dict[str, Any], main: bool) -> bool:
    """True for what the nursery would say: only a child strays, only the process itself says the rest."""
    if "raised" in claim:
        raised = claim["raised"]
        return main and isinstance(raised, dict) and _frames_fit(raised.get("frames"))
    return main != ("stray" in claim)


def _frames_fit(frames: Any) -> bool:
    return isinstance(frames, list) and all(
        isinstance(frame, list) and len(frame) == 2 and type(frame[0]) is int and type(frame[1]) is str
        for frame in frames
    )


def sleeping_in(pid: int) -> str | None:
    """The system call it sleeps in, seen twice without having run in between; None when it runs."""
    first = _asleep(pid)
    return first[0] if first and first == _asleep(pid) else None


def _asleep(pid: int) -> tuple[str, bytes] | None:
    try:
        if proc.read_stat(pid).state != "S":
            return None
        ran = proc.read(b"/proc/%d/schedstat" % pid)
        call = proc.parse_syscall(proc.read(b"/proc/%d/syscall" % pid))
        return (name_of(call.number), ran) if call else None
    except Vanished:
        return None


def state_of(pid: int) -> str:
    """The letter of a process's state (proc(5)); X when it is gone."""
    try:
        return proc.read_stat(pid).state
    except Vanished:
        return "X"


def cpu_ns(pid: int) -> int:
    """How long a process has run so far."""
    try:
        return int(proc.read(b"/proc/%d/schedstat" % pid).split()[0])
    except Vanished:
        return 0


def sleeps(pid: int) -> int:
    """How often a process has gone to sleep so far."""
    try:
        status = proc.read(b"/proc/%d/status" % pid)
    except Vanished:
        return 0
    _, _, rest = status.partition(b"\nvoluntary_ctxt_switches:")
    return int(rest.split()[0]) if rest else 0


def is_pending(pid: int, number: int) -> bool:
    """True while a signal waits to be delivered to a process."""
    try:
        pending = proc.parse_status(proc.read(b"/proc/%d/status" % pid)).pending
    except Vanished:
        return False
    return bool(pending >> (number - 1) & 1)


def in_words(status: int | None) -> str:
    """How a process ended: `exited with status 1`, `was ended by SIGKILL`."""
    if status is None:
        return "ended, nobody saw how"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def _value(claimed: Any) -> Any:
    try:
        return _decoded(claimed)
    except RecursionError:
        return Other("a value nested too deeply")


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        return _special(value)
    return value


def _special(value: dict[str, Any]) -> Any:
    with contextlib.suppress(ValueError, TypeError):
        if "bytes" in value:
            return base64.b64decode(value["bytes"])
        if "dict" in value:
            return {str(key): _decoded(item) for key, item in value["dict"]}
    return Other(str(value.get("other")))


class Other(str):
    """A value that is no plain data: only the name of its type is known. Equal to nothing."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False
