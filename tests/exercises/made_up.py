"""Exercises that only the tests know: one for each sort of answer."""

from labkit.exercises import Exercise, fail

function = Exercise()


@function.criterion(points=2, seconds=2)
def returns_42(answer):
    """returns 42"""
    value = answer.call("f").result()
    if value != 42 or isinstance(value, bool):
        fail("It returned something else.")


twice = Exercise()
twice.criterion(points=2, seconds=2)(returns_42)


@twice.criterion(points=2, seconds=2)
def again(answer):
    """returns 42 again"""
    returns_42(answer)


repeats = Exercise(tidy_points=0)


@repeats.criterion(points=2, seconds=5)
def its_words(answer):
    """says what it returned"""
    fail(f"It returned {answer.call('f').result()}.", "a picture with\x1b[2J in it")


refuses = Exercise(tidy_points=0)


@refuses.criterion(points=2, seconds=5)
def raises(answer):
    """raises ValueError"""
    if (name := answer.call("f").raised("ValueError")) != "ValueError":
        fail(f"It raised {name}.")


program = Exercise()


@program.criterion(points=2, seconds=2)
def says_hello(answer):
    """writes hello to descriptor 3 and ends with status 5"""
    r, w = answer.pipe()
    running = answer.run(w)
    said = r.read_all()
    running.wait_ended().check()
    if said != b"hello" or running.status != 5:
        fail(f"It wrote {len(said)} bytes and ended with {running.status}.", running.printed())


filter_ = Exercise(language="shell")


@filter_.criterion(points=2, seconds=5)
def upper(answer):
    """writes its standard input in capital letters"""
    r, w = answer.pipe()
    running = answer.run(stdin=r)
    w.write(b"some words\n")
    w.close()
    if running.wait_ended().output != "SOME WORDS\n":
        fail("It did not.", running.printed())


in_c = Exercise(language="c")


@in_c.criterion(points=2, seconds=20)
def writes(answer):
    """writes ok to descriptor 3"""
    r, w = answer.pipe()
    running = answer.run(w)
    if r.read_all() != b"ok":
        running.wait_ended()
        fail(f"It wrote something else; its process {running.ending}.", running.printed())


files = Exercise(may_leave=("out",))


@files.criterion(points=2, seconds=5)
def copies(answer):
    """copies the file in to out"""
    answer.put("in", b"words")
    answer.call("copy").result()
    if answer.get("out") != b"words":
        fail("The file out is not there, or is no copy.")


exclusive = Exercise()

PROTECTED = """
import mmap, os
_counter = mmap.mmap(-1, 8)

def step():
    seen = _counter[0]
    os.sched_yield()
    _counter[0] = seen + 1

_children = []
for _ in range(2):
    _pid = os.fork()
    if _pid == 0:
        work(step)
        os._exit(0)
    _children.append(_pid)
for _pid in _children:
    os.waitpid(_pid, 0)
print(_counter[0])
"""


@exclusive.criterion(points=2, seconds=60)
def never_loses(answer):
    """loses no step, whoever goes first"""
    found = answer.explore(answer.text + PROTECTED)
    for outcome in found.outcomes:
        if outcome.deadlock:
            fail(f"Nobody can go on: {outcome.deadlock}", "\n".join(outcome.steps))
        if outcome.output.strip() != "2":
            fail(f"In some order the count is {outcome.output.strip()}, not 2.", "\n".join(outcome.steps))
    if not found.complete:
        fail("Not every order could be tried.")
    return "It holds in every order."


meeting = Exercise(tidy_points=0)
PARTNER = """
import os, sysv_ipc
segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=10)
segment.write(b"partner")
print(segment.id, flush=True)
os.read(3, 1)
segment.remove()
"""


@meeting.criterion(points=2, seconds=20)
def meets_a_partner(answer):
    """reads the segment that a program of the check's own has made"""
    r, w = answer.pipe()
    partner = answer.beside("partner", PARTNER, r)
    answer.wait(lambda: "\n" in partner.output or partner.ended, every=0.001)
    there = answer.objects()
    value = answer.call("f", int(partner.output)).result()
    w.close()
    partner.wait_ended()
    if not there or len(answer.objects()) != len(there) - 1:
        fail(f"The check saw {there}, then {answer.objects()}.")
    if value != b"partner":
        fail("It read something else.")
