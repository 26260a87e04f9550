"""Exercises on semaphores: what holds, holds in every order in which the processes can go."""

from labkit.exercises import Exercise, fail
from labkit.judge.referee import Part, stories

TIME = 90

possible = Exercise(
    tidy_points=0,
    hints=(
        "Draw two columns, one for each process, and put their four lines in an order of your choice.",
        "The gate guards the load and it guards the store. Does it guard what lies between?",
        "What can be in `value` when the other process has stored already, and what when it has not?",
    ),
)

THE_PROGRAM = """
import mmap, os, sysv_ipc

counter = mmap.mmap(-1, 1)
gate = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=1)
child = os.fork()
gate.acquire()
value = counter[0]
gate.release()
gate.acquire()
counter[0] = value + (10 if child == 0 else 1)
gate.release()
if child == 0:
    os._exit(0)
os.wait()
gate.remove()
print(counter[0])
"""


@possible.criterion(seconds=TIME)
def all_of_them(answer):
    """names every number that can be printed, and no other"""
    value = answer.call("possible").result()
    if not isinstance(value, list | frozenset) or not all(type(n) is int for n in value):
        fail("It did not return a list of numbers.")
    found = answer.explore(THE_PROGRAM, language="python")
    can = {int(outcome.output) for outcome in found.outcomes}
    if never := set(value) - can:
        fail(f"{_numbers(never)} on your list: there is no order that leads there.")
    if missing := can - set(value):
        fail(
            f"All on your list can happen, but {len(missing)} of {len(can)} results {_are(missing)} missing."
        )
    return f"Every order was tried: {len(can)} different results, and you have them all."


def _numbers(found):
    return f"{', '.join(map(str, sorted(found)[:5]))} {_are(found)}"


def _are(found):
    return "is" if len(found) == 1 else "are"


mutual_exclusion = Exercise(
    hints=(
        "The report shows an order in which it goes wrong. Follow it with a finger on your code.",
        "The gate is 1 at the start. What is it after the first line of `work`?",
        "P takes one or waits; V gives one back. Which of them is `acquire`?",
    ),
)


@mutual_exclusion.criterion(seconds=TIME)
def one_at_a_time(answer):
    """lets one process in at a time, and each of them once, in every order"""
    parts = [Part(name, "work", ("gate", "use:use")) for name in ("process A", "process B")]

    def check(story):
        _ends(story)
        _nobody_together(story)
        _everybody(story, parts)
        (gate,) = dict(story.values)["gate"]
        if gate != 1:
            fail(
                f"In the end the gate was {gate}, not 1: each takes it once and gives it back once.",
                story.order,
            )

    stories(answer, parts, {"gate": 1}, check)
    return "In every order: one at a time, and both came to their end."


barrier = Exercise(
    hints=(
        "The semaphore starts at 2, and two processes come. What is it when both of them have come?",
        "`semop` has a third way: with 0 it waits until the value is zero. In `sysv_ipc` it is called `Z`.",
        "Say first that you are here. Then wait for the other.",
    ),
)


@barrier.criterion(seconds=TIME)
def all_or_nobody(answer):
    """lets nobody go on before both are there, in every order"""
    names = ("process A", "process B")
    parts = [Part(name, "meet", ("gate", "tell:before", "tell:after")) for name in names]

    def check(story):
        _ends(story)
        for word in ("before", "after"):
            if sorted(story.said(word)) != sorted(names):
                fail(f"Not everybody called `{word}` once.", story.order)
        words = [word for _, word in story.events]
        if "before" in words[words.index("after") :]:
            fail("Somebody went on when only one of the two was there.", story.order)

    stories(answer, parts, {"gate": 2}, check)
    return "In every order: both were there before the first went on."


bounded_buffer = Exercise(
    hints=(
        "One semaphore counts the free places, another the full ones. Which of them does a producer need?",
        "A producer takes a free place and makes a full one. A consumer does the opposite.",
        "Never wait for a place while you hold the gate: whoever could free one must pass it too.",
    ),
)


@bounded_buffer.criterion(seconds=TIME)
def within_bounds(answer):
    """never puts into a full buffer nor takes from an empty one, in every order"""
    parts = [_producer(2), _consumer(2)]

    def check(story):
        _ends(story)
        _within(story)
        _all_moved(story, 2)

    stories(answer, parts, {"free": 1, "full": 0, "gate": 1}, check)
    return "In every order: never more than fits, and everything came through."


@bounded_buffer.criterion(seconds=TIME)
def one_in_the_buffer(answer):
    """lets one process at a time touch the buffer, in every order"""
    parts = [_producer(1), _consumer(1)]

    def check(story):
        _ends(story)
        _nobody_together(story)
        _all_moved(story, 1)

    stories(answer, parts, {"free": 1, "full": 1, "gate": 1}, check)
    return "In every order: one at a time."


def _within(story):
    count = 0
    for _, word in story.events:
        count += {"put out": 1, "take out": -1}.get(word, 0)
        if word == "put in" and count >= 1:
            fail("The producer put something in while the buffer was full.", story.order)
        if word == "take in" and count <= 0:
            fail("The consumer took from an empty buffer.", story.order)


def _producer(count):
    return Part("producer", "produce", (count, "free", "full", "gate", "use:put"))


def _consumer(count):
    return Part("consumer", "consume", (count, "free", "full", "gate", "use:take"))


def _all_moved(story, count):
    for word in ("put in", "take in"):
        if (times := len(story.said(word))) != count:
            fail(f"`{word[:-3]}` was called {times} times instead of {count}.", story.order)


readers_and_writers = Exercise(
    hints=(
        "The semaphore is 3: let it be three places in a room. How many does a reader need?",
        "A writer must be alone. How many places must it take so that nobody else can be in?",
        "Between two takes of one place each somebody else may come. `acquire` has an argument `delta`.",
    ),
)

_ROOM = {"room": 3}


@readers_and_writers.criterion(seconds=TIME)
def a_writer_is_alone(answer):
    """lets a writer in only when nobody else is, in every order"""
    for parts in [_reader("reader"), _writer("writer")], [_writer("writer 1"), _writer("writer 2")]:

        def check(story, parts=parts):
            _ends(story)
            _nobody_together(story)
            _everybody(story, parts)

        stories(answer, parts, _ROOM, check)
    return "In every order: whoever writes is alone."


@readers_and_writers.criterion(seconds=TIME)
def readers_together(answer):
    """lets a reader in while another is there"""
    parts = [_reader("reader")]

    def check(story):
        if story.deadlock:
            fail("A reader waited, though only other readers were in: readers do not disturb each other.")
        _ends(story)
        _everybody(story, parts)

    taken_by_two_others = 2
    stories(answer, parts, {"room": 3 - taken_by_two_others}, check)
    return "Two readers can be in at the same time."


def _reader(name):
    return Part(name, "reader", ("room", "use:read"))


def _writer(name):
    return Part(name, "writer", ("room", "use:write"))


def _everybody(story, parts):
    for part in parts:
        word = part.arguments[1].removeprefix("use:")
        if (times := story.said(f"{word} in").count(part.name)) != 1:
            fail(f"{part.name} called `{word}` {times or 'no'} times instead of once.", story.order)


philosophers = Exercise(
    hints=(
        "A `semop` may be given several rows: all of them happen, or none and it waits.",
        "Both forks are in one set. What are the two rows of the table that takes both?",
        "One row is `(number of the semaphore, what to add)`. Taking adds -1.",
    ),
)

_MEALS = """
def _meal(semop, left, right, eat=lambda: None):
    take(semop, left, right)
    eat()
    put_back(semop, left, right)

def _neighbour(semop, wanted, eat):
    semop([(wanted, -1)])
    eat()
    semop([(1, +1), (2, +1)])
"""


@philosophers.criterion(seconds=TIME)
def all_eat(answer):
    """lets all three eat, in every order"""
    seats = [Part(f"philosopher {n}", "_meal", ("forks", n, (n + 1) % 3)) for n in range(3)]

    def check(story):
        _ends(story)
        _forks_back(story, (1, 1, 1))

    stories(answer, seats, {"forks": [1, 1, 1]}, check, _MEALS)
    return "In every order: all have eaten, and all forks lie there again."


@philosophers.criterion(seconds=TIME)
def one_fork_one_hand(answer):
    """never lets two eat who share a fork, and holds no fork while it waits, in every order"""
    seats = [Part(f"philosopher {n}", "_meal", ("forks", n, n + 1, "use:eat")) for n in range(2)]

    def check(story):
        _ends(story)
        _nobody_together(story)

    stories(answer, seats, {"forks": [1, 1, 1]}, check, _MEALS)
    for wanted, forks in ((1, [1, 1, 0]), (2, [1, 0, 1])):
        seats = [
            Part("the philosopher", "_meal", ("forks", 1, 2, "use:eat")),
            Part("the neighbour", "_neighbour", ("forks", wanted, "use:eat")),
        ]
        stories(answer, seats, {"forks": forks}, _nobody_starves, _MEALS)
    return "In every order: nobody ate with a neighbour's fork, nor sat waiting with one in hand."


def _nobody_starves(story):
    if story.deadlock:
        fail("The philosopher took one fork and waited for the other, so the neighbour starved.", story.order)
    _ends(story)
    _nobody_together(story)
    if story.events[:1] == (("the philosopher", "eat in"),):
        fail(
            "The philosopher ate while one of the forks was not there: the neighbour had it.",
            story.order,
        )


def _forks_back(story, values):
    found = dict(story.values)["forks"]
    if found != values:
        fail(f"In the end the forks' semaphores were {_list(found)} instead of {_list(values)}.", story.order)


def _list(values):
    return ", ".join(map(str, values))


# --- what all of them must do -----------------------------------------------------------------------


def _ends(story):
    if story.deadlock:
        fail(f"In some order nobody can go on: {story.deadlock}", story.order)
    if story.ending:
        asking = "Does somebody look again and again, instead of sleeping until it is time?"
        fail(f"In some order it has no end: {story.ending}. {asking}", story.order)


def _nobody_together(story):
    for (one, word), (other, other_word) in sorted(story.together()):
        what = f"`{word}`" if word == other_word else f"`{word}` and `{other_word}`"
        fail(f"{one} and {other} were in {what} at the same time.", story.order)
