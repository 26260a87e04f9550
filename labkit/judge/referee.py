"""An answer's functions in processes of their own, under every order, and a referee who tells what they did.

Some facts:

- A conductor makes every call a point at which another process may go first; plain loads and stores are
  none. A mark (`sched_yield`) that is left out is a point that is not there, so a check must not depend on
  marks in the answer.
- What a process prints is its own word. How it ended is the kernel's.

What follows for us: the program that is explored is a referee, our code, which makes the semaphores, forks
a process for each part and runs the answer's code only in those, with their output thrown away. What is to
be protected is ours too: `use()` notes that it begins, lets others go first, and notes that it ends. When
all have ended, the referee says the notes in their order. An outcome counts only when the referee came to
its end and said nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.exercises import fail
from labkit.reports import printable

if TYPE_CHECKING:
    from labkit.exploration import Outcome
    from labkit.judge.answers import Answer

MOST = 60, 1500
"""Schedules after which an exploration stops. A few are enough to find most mistakes."""
SECONDS = 15
"""The longest that one schedule may take, on a busy machine too."""
SHOWN = 16
"""The most steps of an order that are shown."""
PROGRAM = "your program"
"""What an exploration calls the program that it runs."""


class Part(NamedTuple):
    """A process: its name, the function of the answer that it calls, and with what.

    The name of a semaphore stands for that semaphore (`sysv_ipc.Semaphore`), `"use:eat"` for a function
    that notes `eat in` and `eat out`, and `"tell:here"` for one that notes `here`.
    """

    name: str
    function: str
    arguments: tuple[Any, ...] = ()


class Story(NamedTuple):
    """One thing that can come out."""

    events: tuple[tuple[str, str], ...]
    """(who, what), in the order in which it happened; empty when it did not come to an end."""
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
    answer: Answer, parts: Sequence[Part], semaphores: dict[str, int], check: Callable[[Story], object]
) -> list[Story]:
    """Everything that can come out when these parts run at the same time, in a fixed order.

    `check` is called with each, and fails when it is not as it should be.
    """
    job = {"text": answer.text, "semaphores": semaphores, "parts": [list(part) for part in parts]}
    text = f"JOB = {json.dumps(job)!r}\n{_REFEREE}"
    return _told(answer, "python", text, [part.name for part in parts], check)


def stories_in_c(
    answer: Answer, names: Sequence[str], main: str, check: Callable[[Story], object]
) -> list[Story]:
    """The same for an answer in C: `main` is C that begins the parts, after the cell's text."""
    text = f'#line 1 "your cell"\n{answer.text}\n#line 1 "the referee"\n{_REFEREE_IN_C}{main}'
    return _told(answer, "c", text, names, check)


def _told(
    answer: Answer, language: str, text: str, names: Sequence[str], check: Callable[[Story], object]
) -> list[Story]:
    """An exploration as stories, the short ones first; all of them have been checked."""
    for most in MOST:
        found = answer.explore(text, language=language, most=most, seconds=SECONDS)
        stories = sorted((_story(outcome, names) for outcome in found.outcomes), key=_brevity)
        for story in stories:
            check(story)
        if found.complete:
            return stories
    because = "; ".join(limit.because for limit in found.limits)
    return fail(f"Not every order could be tried. {because}".strip())


def _brevity(story: Story) -> tuple[int, Story]:
    return len(story.order), story


def _story(outcome: Outcome, names: Sequence[str]) -> Story:
    deadlock = _named(outcome.deadlock or "", names)
    steps = [f"  {_named(step, names)}" for step in outcome.steps]
    more = ["  …"] if len(steps) > SHOWN else []
    order = "\n".join(["One order in which it happens:", *steps[:SHOWN], *more]) if steps else ""
    if deadlock or outcome.ending:
        return Story((), deadlock, outcome.ending or "", order)
    return Story(_events(outcome, names), "", "", order)


def _events(outcome: Outcome, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    lines = outcome.output.splitlines()
    if not lines or lines[-1] != "." or any(outcome.exits.values()):
        ends = {who: status for who, status in outcome.exits.items() if status}
        fail(f"A process did not end well: {_named(printable(str(ends), 200), names)}.")
    events = []
    for line in lines[:-1]:
        if line.startswith("!"):
            fail(f"Your code raised {printable(line[1:].split(':')[0], 60)}.", printable(line[1:], 500))
        number, _, what = line.partition(" ")
        if not number.isdecimal() or int(number) >= len(names):
            fail("Something was written that no process of the referee's says.", printable(line, 200))
        events.append((names[int(number)], what))
    return tuple(events)


def _named(text: str, names: Sequence[str]) -> str:
    """A text with the parts' own names, where the exploration speaks of children."""
    for number in range(len(names), 0, -1):
        child = f"{PROGRAM}/child {number}" if number > 1 else f"{PROGRAM}/child"
        text = text.replace(child, names[number - 1])
    return text


_REFEREE = """
import json, mmap, os, struct, sysv_ipc

def main():
    job = json.loads(JOB)
    notes = mmap.mmap(-1, 16384)
    gates = {name: sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=value)
             for name, value in job["semaphores"].items()}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    children = []
    for number, (name, function, arguments) in enumerate(job["parts"]):
        pid = os.fork()
        if pid == 0:
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            part(number, job["text"], function, [given(a, gates, notes, number) for a in arguments], notes)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    for gate in gates.values():
        gate.remove()
    print(*notes[4:4 + notes_size(notes)].decode().splitlines(), ".", sep="\\n")

def notes_size(notes):
    return struct.unpack("i", notes[:4])[0]

def note(notes, line):
    line, size = line.encode()[:300] + b"\\n", notes_size(notes)
    notes[4 + size:4 + size + len(line)] = line
    notes[:4] = struct.pack("i", size + len(line))

def given(argument, gates, notes, number, let_others_go=os.sched_yield):
    if not isinstance(argument, str):
        return argument
    kind, _, word = argument.partition(":")
    def use():
        note(notes, f"{number} {word} in")
        let_others_go()
        note(notes, f"{number} {word} out")
    def tell():
        note(notes, f"{number} {word}")
    return {"use": use, "tell": tell}.get(kind) or gates.get(argument, argument)

def part(number, text, function, arguments, notes):
    try:
        cell = {"__name__": "__main__"}
        exec(compile(text, "your cell", "exec"), cell)
        if not callable(cell.get(function)):
            raise NameError(f"there is no function {function} in your cell")
        cell[function](*arguments)
    except BaseException as error:
        note(notes, f"!{type(error).__name__}: {error}")
    os._exit(0)

main()
"""

_REFEREE_IN_C = """
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

static char *_notes;
static int _number;

static void _note(const char *word) {
    sprintf(_notes + strlen(_notes), "%d %s\\n", _number, word);
}

static void _use(void) {
    _note("use in");
    sched_yield();
    _note("use out");
}

static int _set_of(int how_many, unsigned short *values) {
    int set = semget(IPC_PRIVATE, how_many, 0600);
    semctl(set, 0, SETALL, values);
    return set;
}

static int _part(int number) {
    if (!_notes)
        _notes = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _number = number;
    return fork() == 0;
}

static int _over(int set) {
    while (wait(NULL) > 0) {}
    semctl(set, 0, IPC_RMID);
    printf("%s.\\n", _notes);
    return 0;
}
"""
