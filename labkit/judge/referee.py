"""An answer's functions in processes of their own, under every order, and a referee who tells what they did.

Some facts:

- A conductor makes every call a point at which another process may go first; plain loads and stores are
  none. A mark (`sched_yield`) that is left out is a point that is not there, so a check must not depend on
  marks in the answer. Python code can reach and change whatever is in its process, our functions too.
- A socket with SO_PASSCRED learns from the kernel who sent each message (unix(7)): only who has
  CAP_SYS_ADMIN could name another. Messages of one socket are received in the order in which they were sent.
- A process of the same user may write into another's memory and take its descriptors, unless it is in a
  Landlock domain and the other is not (landlock(7), since Linux 5.13).
- `sendmmsg`, `splice`, `sendfile` and io_uring can send several messages in one call. All others send one.

What follows for us: the program that is explored is a referee, our code, which makes the semaphores, forks
a process for each part and runs the answer's code only in those, with their output thrown away. What is to
be protected is ours too: `use()` says that it begins and says that it ends, in two messages. Whoever sends
them without `use()` has not gained anything: they are two calls, and others can go between. Calls that send
more than one are forbidden, and each part is in a Landlock domain, so that it cannot speak for the referee
(where the kernel has none, an answer that writes into the referee's memory could). When all have ended, the
referee reads what was said, and by whom. A part closes nothing of ours: to a conductor a close of a socket is
a step that could matter to everybody, and one more in each part makes thirty times as many orders. So does
the end of one who holds a domain's descriptor: where nothing is said, only how all ends counts, and none is.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.conductor.limits import FILTERED
from labkit.exercises import fail
from labkit.judge import claims, crashes
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, number
from labkit.reports import printable

if TYPE_CHECKING:
    from labkit.exploration import Exploration, Outcome
    from labkit.judge.answers import Answer

MOST = 1500
"""Schedules after which an exploration stops."""
SECONDS = 15
"""The longest that one schedule may take, on a busy machine too."""
WAKES = 5
"""Who wakes up more often than so in one order, because its time was over, looks again and again."""
ALONE = 50
"""Who makes more steps than so in a row looks again and again, while nobody else can change anything."""
SHOWN = 16
"""The most steps of an order that are shown."""
RAISED = 77
"""How a part ends that raised and had no words given to say so."""
PROGRAM = "your program"
"""What an exploration calls the program that it runs."""


class Part(NamedTuple):
    """A process: its name, the function of the answer that it calls, and with what.

    The name of a semaphore stands for that semaphore (`sysv_ipc.Semaphore`), the name of a set for a function
    that is `semop` on it, `"use:eat"` for a function that says `eat in` and `eat out`, and `"tell:here"` for
    one that says `here`.
    """

    name: str
    function: str
    arguments: tuple[Any, ...] = ()


class Story(NamedTuple):
    """One thing that can come out."""

    events: tuple[tuple[str, str], ...]
    """(who, what), in the order in which it happened; empty when it did not come to an end."""
    values: tuple[tuple[str, tuple[int, ...]], ...]
    """What each semaphore, or those of each set, were in the end."""
    deadlock: str
    ending: str
    """Why it was cut short."""
    order: str
    """How it comes to that, as text."""

    def said(self, word: str) -> list[str]:
        """Who noted this, in order."""
        return [who for who, what in self.events if what == word]

    def together(self) -> set[tuple[tuple[str, str], tuple[str, str]]]:
        """Which uses went on at the same time: pairs of (who, word)."""
        inside: list[tuple[str, str]] = []
        found = set()
        for who, what in self.events:
            word, _, edge = what.partition(" ")
            if edge == "in":
                found |= {((min(one, (who, word))), max(one, (who, word))) for one in inside}
                inside.append((who, word))
            elif edge == "out" and (who, word) in inside:
                inside.remove((who, word))
        return found


def stories(
    answer: Answer,
    parts: Sequence[Part],
    semaphores: dict[str, int | list[int]],
    check: Callable[[Story], object],
    more: str = "",
) -> list[Story]:
    """Everything that can come out when these parts run at the same time, in a fixed order.

    A semaphore with a list of values is a set. `more` is Python that follows the answer's. `check` is
    called with each story, and fails when it is not as it should be.
    """
    forbidden = [number(name) for name in _SEVERAL_AT_ONCE], AUDIT_ARCH[MACHINE]
    job: dict[str, Any] = {
        "text": f"{answer.text}\n{more}",
        "semaphores": semaphores,
        "parts": [list(p) for p in parts],
    }
    text = f"JOB = {json.dumps(job | {'forbidden': forbidden})!r}\nRAISED = {RAISED}\n{_REFEREE}"
    return _told(answer, text, [part.name for part in parts], check)


def _told(answer: Answer, text: str, names: Sequence[str], check: Callable[[Story], object]) -> list[Story]:
    """An exploration as stories, the short ones first; all of them have been checked."""

    def look(found: Exploration) -> list[Story]:
        stories = sorted((_story(outcome, names, answer.text) for outcome in found.outcomes), key=_brevity)
        for story in stories:
            check(story)
        return stories

    found = answer.explore(
        text, language="python", most=MOST, seconds=SECONDS, wakes=WAKES, alone=ALONE, look=look
    )
    stories = look(found)
    if found.complete:
        return stories
    because = [limit.because for limit in found.limits if limit != FILTERED]
    if any("not repeatable" in each for each in because):
        because = ["In one order it does not always do the same. Does it ask for a pid, the time, or chance?"]
    return fail(f"Not every order could be tried. {'; '.join(because)}".strip())


def _brevity(story: Story) -> tuple[int, Story]:
    return len(story.order), story


def _story(outcome: Outcome, names: Sequence[str], source: str) -> Story:
    deadlock = _waiting(_named(outcome.deadlock or "", names))
    steps = [f"  {_SENT.sub(': at work', _named(step, names))}" for step in outcome.steps]
    more = ["  …"] if len(steps) > SHOWN else []
    order = "\n".join(["One order in which it happens:", *steps[:SHOWN], *more]) if steps else ""
    if deadlock or outcome.ending:
        return Story((), (), deadlock, _named(outcome.ending or "", names), order)
    return Story(*_events(outcome, names, source), "", "", order)


def _events(
    outcome: Outcome, names: Sequence[str], source: str
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, tuple[int, ...]], ...]]:
    try:
        told: dict[str, Any] = json.loads(outcome.output)
    except ValueError:
        told = {}
    if not told or any(outcome.exits.values()):
        ends = {who: status for who, status in outcome.exits.items() if status}
        if set(ends.values()) == {RAISED}:
            fail("Your code raised an error.")
        fail(f"A process did not end well: {_named(printable(str(ends), 200), names)}.")
    if gone := [name for name, values in told["values"].items() if not values]:
        fail(f"The semaphore `{printable(gone[0], 60)}` was removed: it is not yours, and others need it.")
    events = []
    for who, what in told["said"]:
        if what.startswith("!"):
            fail(*_raised(what, source))
        if who is None or not what.isprintable():
            fail("Something was said that no process of the referee's says.", printable(what, 200))
        events.append((names[who], what))
    return tuple(events), tuple((name, tuple(values)) for name, values in told["values"].items())


def _raised(what: str, source: str) -> tuple[str, str]:
    """What a part says when it raises, as a sentence and the lines of the cell."""
    with contextlib.suppress(ValueError):
        raised = json.loads(what[1:])
        if claims.fits({"raised": raised}, True):
            return crashes.told(raised, source)
    return "Something was said that no process of the referee's says.", printable(what, 200)


_SENT = re.compile(r": send(to)?$")


def _waiting(deadlock: str) -> str:
    """Who waits for ever, and in which call: without the referee, who waits for all of them."""
    found = [words for words in re.findall(r"`[^`]*` in \w+", deadlock) if PROGRAM not in words]
    if not found:
        return deadlock
    *most, last = found
    return f"{', '.join(most)} and {last} wait for ever." if most else f"{last} waits for ever."


def _named(text: str, names: Sequence[str]) -> str:
    """A text with the parts' own names, where the exploration speaks of children."""
    for nth in range(len(names), 0, -1):
        child = f"{PROGRAM}/child {nth}" if nth > 1 else f"{PROGRAM}/child"
        text = text.replace(child, names[nth - 1])
    return text


_SEVERAL_AT_ONCE = ("sendmmsg", "splice", "sendfile", "io_uring_setup", "io_uring_enter")
_REFEREE = """
import ctypes, json, os, socket, struct, sysv_ipc

LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
PRIVATE, IPC_RMID, GETVAL, SETVAL = 0, 0, 12, 16
libc = ctypes.CDLL(None, use_errno=True)

def main():
    job = json.loads(JOB)
    gates = {name: Set(value) if isinstance(value, list)
             else sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=value)
             for name, value in job["semaphores"].items()}
    heard, said = None, None
    if any(isinstance(a, str) and ":" in a for _, _, arguments in job["parts"] for a in arguments):
        heard, said = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    forbid(*job["forbidden"])
    domain = new_domain() if said else -1
    nowhere, pids = os.open(os.devnull, os.O_WRONLY), []
    for _, function, arguments in job["parts"]:
        pids.append(os.fork())
        if pids[-1] == 0:
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            libc.syscall(LANDLOCK_RESTRICT_SELF, domain, 0)
            part(job, function, [given(a, gates, said) for a in arguments], said)
    for pid in pids:
        os.waitpid(pid, 0)
    values = {name: values_of(gate) for name, gate in gates.items()}
    for name, gate in gates.items():
        if values[name]:
            gate.remove()
    print(json.dumps({"said": list(listen(heard, pids)), "values": values}))

def values_of(gate):
    try:
        return gate.values() if isinstance(gate, Set) else [gate.value]
    except sysv_ipc.ExistentialError:
        return []  # somebody has removed it

def listen(heard, pids):
    while heard:
        try:
            text, facts, _, _ = heard.recvmsg(2000, 100, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        pid = struct.unpack("3i", facts[0][2])[0]
        yield pids.index(pid) if pid in pids else None, text.decode(errors="replace")

def given(argument, gates, said):
    if not isinstance(argument, str):
        return argument
    kind, _, word = argument.encode().partition(b":")
    def use():
        said.send(word + b" in")
        said.send(word + b" out")
    def tell():
        said.send(word)
    return {b"use": use, b"tell": tell}.get(kind) or gates.get(argument, argument)

def part(job, function, arguments, said):
    try:
        cell = {"__name__": "__main__"}
        exec(compile(job["text"], "the answer", "exec"), cell)
        if not callable(cell.get(function)):
            raise NameError(f"there is no function {function} in your cell")
        cell[function](*arguments)
    except BaseException as error:
        if said is None:
            os._exit(RAISED)
        said.send(b"!" + json.dumps(told(error)).encode())
    os._exit(0)

def told(error):
    name, message, frames, step = type(error).__name__, str(error), [], error.__traceback__
    while step:
        if step.tb_frame.f_code.co_filename == "the answer":
            frames.append([step.tb_lineno, step.tb_frame.f_code.co_name[:40]])
        step = step.tb_next
    if isinstance(error, SyntaxError) and not frames:
        frames, message = [[error.lineno or 0, "<module>"]], error.msg
    return {"type": name[:60], "message": message[:150], "known": [name[:60]], "frames": frames[-6:]}

class Set:
    def __init__(self, values):
        self.size, self.id = len(values), libc.semget(PRIVATE, len(values), 0o600)
        for number, value in enumerate(values):
            libc.semctl(self.id, number, SETVAL, value)
    def __call__(self, rows):
        rows = list(rows)
        table = b"".join(struct.pack("Hhh", *row, *[0] * (3 - len(row))) for row in rows)
        if libc.semop(self.id, table, len(rows)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    def values(self):
        return [libc.semctl(self.id, number, GETVAL) for number in range(self.size)]
    def remove(self):
        libc.semctl(self.id, 0, IPC_RMID)

def new_domain():
    return libc.syscall(LANDLOCK_CREATE_RULESET, struct.pack("Q", 1 << 11), 8, 0)  # no block devices

def forbid(numbers, machine):
    refuse, allow = (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)
    rows = [(0x20, 0, 0, 4), (0x15, 1, 0, machine), refuse, (0x20, 0, 0, 0), (0x35, 0, 1, 1 << 30), refuse]
    for number in numbers:
        rows += [(0x15, 0, 1, number), refuse]
    rows.append(allow)
    table = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, struct.pack("HP", len(rows), ctypes.addressof(table)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")

main()
"""
