"""Exercises on pipes: who holds which end, every byte in, every byte out, and the end in sight."""

import contextlib
import os
import signal
from functools import partial

from labkit.exercises import Exercise, Failed, fail
from labkit.judge.claims import kind

# --- trace it ---------------------------------------------------------------------------------------

who_holds = Exercise(
    tidy_points=0,
    hints=(
        "Draw a table of descriptors for the parent. At each `fork`, copy the table as it is at that moment.",
        "`close` takes a line out of one process's table, and out of no other.",
        "`dup` makes another line for the same end. As long as one line is left, the process holds that end.",
    ),
)

THE_PROGRAM = """
import os
import signal

r, w = os.pipe()
if os.fork() == 0:     # the first child
    os.close(r)
    signal.pause()
spare = os.dup(w)
os.close(w)
if os.fork() == 0:     # the second child
    os.close(spare)
    os.read(r, 1)
signal.pause()         # the parent
"""
NAMES = {"it": "parent", "it/child": "first child", "it/child 2": "second child"}


@who_holds.criterion(points=1)
def the_ends(answer):
    """says which ends each process holds"""
    said = _traced(answer)
    for name, held in _at_rest(answer, _ends_held).items():
        told = said.get(name)
        if not isinstance(told, str):
            fail(f"For {name!r} there is no text such as 'r', 'w' or 'rw'.")
        for letter, end in (("r", "read end"), ("w", "write end")):
            if (letter in told) != (letter in held):
                does = "holds it" if letter in held else "does not hold it"
                fail(f"The {name} and the {end}: the kernel says that it {does}.")
    return "As the kernel has it."


@who_holds.criterion(points=1)
def the_wait(answer):
    """says whom the reader waits for"""
    said = _traced(answer).get("the reader waits for")
    if not isinstance(said, list | frozenset) or not all(isinstance(name, str) for name in said):
        fail("For 'the reader waits for' there is no list of names.")
    holders = _at_rest(answer, _writers)
    if strangers := sorted(name for name in said if name not in holders):
        fail(f"The second child's read does not wait for {_told(strangers[0])}.")
    if missing := [name for name in holders if name not in said]:
        fail(f"If all on your list were gone, its read would still wait: for the {missing[0]}.")
    return "While one of them holds the write end, the pipe has no end."


def _traced(answer):
    value = answer.call("who_holds").result()
    if not isinstance(value, dict):
        fail("It returns no dictionary: keep the form of the cell.")
    return value


def _at_rest(answer, asked):
    """What one can ask of a picture of the program, once its three processes sleep."""
    program = answer.beside("it", THE_PROGRAM)
    scenes = []

    def at_rest():
        scenes[:] = [answer.scene()]
        calls = [process.blocked.call for process in scenes[0].processes if process.blocked]
        return sorted(calls) == ["pause", "pause", "read"]

    answer.wait(at_rest, hang=False)
    at_rest()  # once more: a table may have been read before its process came to rest
    found = asked(scenes[0])
    for process in scenes[0].processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    program.wait_ended()
    return found


def _ends_held(scene):
    return {NAMES[process.name]: {row.mode for row in _rows(process)} for process in scene.processes}


def _writers(scene):
    (pipe,) = {process.blocked.object for process in scene.processes} - {None}
    pids = {end.pid for end in scene.object(pipe).writers}
    return [NAMES[process.name] for process in scene.processes if process.pid in pids]


def _rows(process, from_=3, ours=200):
    """The descriptors that a process has made or been given: not the first three, nor the judge's."""
    return [row for row in process.descriptors if from_ <= row.fd < ours]


def _told(name):
    return f"the {name}" if name in NAMES.values() else "a name that is none of the three"


# --- fix it -----------------------------------------------------------------------------------------

hand_out = Exercise(
    tidy_points=0,
    hints=(
        "The picture shows a child that waits for the end of its pipe. Who holds the write end of that pipe?",
        "A child is born with everything that its parent has open at that moment.",
        "When the third child is born, which ends of the first one's pipe are open in the parent?",
    ),
)


@hand_out.criterion(points=0)
def to_one(answer):
    """hands one text to one child"""
    _handed_out(answer, 1)
    return "The child saw the end, and its text came back in capitals."


@hand_out.criterion(points=1)
def to_three(answer):
    """hands three texts to three children, in order"""
    _handed_out(answer, 3)
    return "Each child saw the end of its own pipe."


def _handed_out(answer, count):
    texts = [b"a" * 99_000 + answer.fresh_bytes(500).hex().encode() for _ in range(count)]
    r, ours, running = _at_work(answer, texts)
    scene = _first_child_stuck(answer, running)
    writing = [child for child in _children(scene, running) if _writes(child)]
    if not writing:
        fail("It writes into the pipe `out` itself: that is for the child to do.")
    if len(writing) > 1:
        fail("While one child was still writing its text, another had its own already: wait for the first.")
    ours.close()
    received = r.read_all().lstrip(FILLER)
    running.result()
    right = [text.upper() for text in texts]
    if received == b"".join(right):
        return
    if received == b"".join(reversed(right)):
        fail("The texts came back in the opposite order: each child waited for those that were born later.")
    fail(f"{len(received)} of {100_000 * count} bytes came back, and they are not what was handed out.")


FILLER = b"."


def _at_work(answer, texts):
    """The answer, whose children find the pipe `out` full; and our ends of that pipe."""
    r, w = answer.pipe()
    ours = w.copy()
    ours.write(FILLER * 65536)
    return r, ours, answer.call("hand_out", texts, w)


def _children(scene, running):
    return [process for process in scene.processes if process.pid != running.pid]


def _writes(process):
    return process.blocked is not None and process.blocked.call == "write"


@hand_out.criterion(points=1)
def no_end_too_many(answer):
    """has all children at once, and none of them holds an end that it does not use"""
    r, ours, running = _at_work(answer, [b"one", b"two", b"three"])
    scene = _first_child_stuck(answer, running)
    ours.close()
    children = _children(scene, running)
    pipes = _pipes_to_children(scene, children)
    finished = [["r"], []]  # the one who writes has read to the end, and may have closed it
    for number, child in enumerate(children, 1):
        ends = [row.mode for row in _rows(child, from_=0) if row.object in pipes]
        if ends != ["r"] and not (_writes(child) and ends in finished):
            fail(f"Child {number} holds {_counted(ends)}. It needs one, the read end of its own pipe.")
        finished = finished[:1] if _writes(child) else finished
    if len(children) != 3:
        fail(f"While the first of three children wrote, the others were not there: {len(children)} of 3.")
    r.read_all()
    running.result()
    return "3 children, a read end each."


def _pipes_to_children(scene, children):
    """Those that a child waits to read from, and those that have come to their end: the texts are in them.

    What a library has between parent and child (`multiprocessing` has two pipes) is none of the learner's.
    """
    pipes = [thing for thing in scene.objects if thing.kind == "pipe"]
    awaited = {child.blocked.object for child in children if child.blocked and not _writes(child)}
    return {pipe.id for pipe in pipes if pipe.id in awaited or not (pipe.writers or pipe.others)}


def _first_child_stuck(answer, running):
    """A picture of the moment when a child sleeps in write, for nobody reads, and all others sleep too."""
    scenes = []

    def stuck():
        scenes[:] = [answer.scene()]
        processes = scenes[0].processes
        all_sleep = all(process.blocked for process in processes)
        return running.ended or (all_sleep and any(map(_writes, processes))) or alone()

    def alone():
        threads = scenes[0].processes and scenes[0].processes[0].threads[1:]
        return threads and running.sleeps_for_good() and answer.processes() == [running.pid]

    answer.wait(stuck)
    if running.ended and (raised := running.children_raised()):
        fail("A child raised an error before it had written its text.", raised)
    if running.ended:
        running.result()
        fail("It returned before its children had written: it did not wait until they were done.")
    if alone():
        fail("It started a thread for each text: a child is asked for, a process of its own.")
    return scenes[0]


def _counted(ends):
    return f"{len(ends)} end{'s' * (len(ends) != 1)} of pipes, {ends.count('w')} of them for writing"


# --- write it ---------------------------------------------------------------------------------------

read_to_end = Exercise(
    tidy_points=0,
    hints=(
        "`os.read` returns what is there now. Which value of it means that nothing will ever come?",
        "A pipe is at its end when *nobody* holds its write end any more. Who holds it?",
        "Your own copy of the write end counts: close it before you read.",
    ),
)


@read_to_end.criterion(points=1)
def in_pieces(answer):
    """waits for what comes later"""
    pieces = [answer.fresh_bytes(count) for count in (9, 1, 4096, 9)]
    pieces = [b"\n" + pieces[0], *pieces[1:3], pieces[3] + b"\n"]
    data = b"".join(pieces)
    running, writer = _reading(answer)
    for piece in pieces:
        _wait_reading(running, data)
        writer.write(piece)
        writer.wait_empty()
    writer.close()
    _expect_returned(running, data)
    return "4 pieces came, with pauses; it returned all 4117 bytes."


@read_to_end.criterion(points=1)
def every_writer(answer):
    """reads on until every writer has gone"""
    first, second = answer.fresh_bytes(2000), answer.fresh_bytes(100_000)
    running, early = _reading(answer)
    late = early.copy()
    early.write(first)
    early.close()
    late.wait_empty()
    left_early = partial(_left_early, running, first + second)
    running.wait_asleep(otherwise=left_early)
    running.impatience()  # whoever waits only for a while is given that while
    if running.ended:
        left_early()
    late.write(second)
    late.close()
    _expect_returned(running, first + second)
    return "One writer went, another wrote on; it returned all 102000 bytes."


@read_to_end.criterion(points=0)
def nothing(answer):
    """returns b"" when the writers go without a word"""
    running, writer = _reading(answer)
    _wait_reading(running, b"")
    writer.close()
    _expect_returned(running, b"")


def _reading(answer):
    """An answer that reads from a pipe, and our write end of that pipe."""
    r, w = answer.pipe()
    writer = w.copy()
    return answer.call("read_to_end", r, w), writer


def _wait_reading(running, data):
    """Wait until there is nothing it can do but wait for more."""
    running.wait_asleep(otherwise=lambda: _expect_returned(running, data, early=True))


def _left_early(running, data):
    value = running.result()
    if isinstance(value, bytes):
        fail(f"It returned {len(value)} of {len(data)} bytes while a writer was still there.")
    fail(f"It returned {kind(value)}, not bytes.")


def _expect_returned(running, data, early=False):
    value = running.result()
    if value == data and not early:
        return
    if not isinstance(value, bytes):
        fail(f"It returned {kind(value)}, not bytes.")
    if value == data:
        fail("It returned before the writer had gone: it cannot know that no more will come.")
    if data.startswith(value):
        fail(
            f"It returned {len(value)} of {len(data)} bytes: "
            "a read returns what is there, not all that will come."
        )
    fail(f"It returned {len(value)} bytes, and they are not the {len(data)} that were written.")


between_threads = Exercise(
    tidy_points=0,
    hints=(
        "One thread is a loop of `os.read` from `r` and `os.write` into your pipe. What is the other's loop?",
        "Its loop ends when nobody holds your pipe's write end any more. Who knows that no more will come?",
        "After a `fork` each side closes its copy of what it does not use. Are there copies here?",
    ),
)
WRITES = ("write", "writev", "splice")


@between_threads.criterion(points=0)
def passed_on(answer):
    """passes everything on in capitals, and then returns"""
    r, feed = answer.pipe(300_000)  # all of it fits, whatever the answer does
    taken, out = answer.pipe()
    data = b"a" * 299_000 + answer.fresh_bytes(500).hex().encode()
    running = answer.call("in_capitals", r, out)
    feed.write(data[:10])
    feed.wait_empty()
    running.wait_settled()
    if running.ended:
        running.result()
        _closed_too_early(running, "Not all bytes came out, and then it returned.")
        fail("10 bytes had come, their writer was still there, and it returned: it did not wait for the end.")
    feed.write(data[10:])
    feed.close()
    running.wait_settled()  # `out` holds less than that
    received = taken.read_exactly(200_000)
    running.wait_settled()  # who has read all is done now, who writes is not
    received += taken.read_all()
    running.check()
    if received != data.upper():
        _not_passed_on(running, received, data.upper())
    running.result()
    _keeps_and_closes(answer)
    return "300000 of 300000 bytes came out."


def _not_passed_on(running, received, data):
    """Fails, with what the bytes that did come out tell of the mistake."""
    if not data.startswith(received):
        fail(f"{len(received)} bytes came out, and they are not the 300000 that went in, in capitals.")
    came = "Not all bytes came out, and then it returned."
    _closed_too_early(running, came)
    fail(f"{came} Before it returns, both threads must be done.")


def _closed_too_early(running, came):
    if "BrokenPipeError" in running.output:
        fail(f"{came} The thread that read from your pipe went away before that had come to its end.")
    if "Bad file descriptor" in running.output:
        fail(f"{came} Threads have one table: what one of them closes is closed for the other, too.")


@between_threads.criterion(points=1)
def at_the_same_time(answer):
    """has two threads at work at the same time, and a pipe between them"""
    r, feed = answer.pipe(300_000)
    taken, out = answer.pipe()
    feed.write(b"a" * 300_000)
    feed.close()
    full = out.copy()
    full.write(FILLER * 65536)
    running = answer.call("in_capitals", r, out)
    running.wait_settled()
    if running.ended:
        running.result()
        fail("Nobody took anything from `out`, and it returned: not everything can have gone in.")
    _expect_both_waiting(answer.scene(), running.pid)
    full.close()
    taken.read_all()
    running.result()
    return "Nobody read from `out`: one waited for room in it, the other for room in the pipe between."


def _expect_both_waiting(scene, pid):
    """One thread waits to write into `out`, and one to write into a pipe that only this process has."""
    if len(scene.processes) > 1:
        fail("It made another process: two threads of one process are asked for.")
    process = scene.process(pid)
    given = {row.object for row in process.descriptors if row.fd in (3, 4)}
    own = {row.object for row in process.descriptors if row.mode == "w" and row.fd > 4} - given
    waits = [task.blocked for task in process.threads or (process,) if task.blocked]
    written = {thing for wait in waits for thing in _to_be_written(wait)}
    if not own & {row.object for row in process.descriptors if row.mode == "r"}:
        fail("While it worked, it had no pipe of its own.")
    if not (written & own and written & given):
        fail("Nobody took from `out`. One thread waited for that, and the other did not fill your pipe.")


def _to_be_written(wait):
    """What a thread waits to write into: in a write, or in a `select` before it."""
    if wait.call in WRITES:
        return [wait.object]
    return [each.object for each in wait.on if "writable" in each.events]


AND_THEN = """
in_capitals(3, 4)
__import__("os").read(5, 1)
"""


def _keeps_and_closes(answer):
    """Fails unless it leaves the caller's ends open and none of its own: the caller is one who lives on."""
    (r, feed), (_, out), (stay, end) = answer.pipe(), answer.pipe(), answer.pipe()
    feed.close()
    caller = answer.beside("your function's caller", answer.text + AND_THEN, r, out, stay)
    answer.wait(lambda: caller.ended or _is_back(answer, caller), every=0.005, hang=False)
    caller.check()
    rows = [] if caller.ended else _rows(answer.scene().process(caller.pid))
    end.close()
    for fd, name in ((3, "r"), (4, "out")):
        if fd not in [row.fd for row in rows]:
            fail(f"When it had returned, `{name}` was closed. That is your caller's, who may want it again.")
    if more := [row for row in rows if row.fd > 5]:
        which = {"r": "read end", "w": "write end"}.get(more[0].mode, "end")
        fail(f"When it had returned, the {which} of your own pipe was still open: nobody else can close it.")


def _is_back(answer, caller):
    blocked = answer.scene().process(caller.pid).blocked
    return blocked is not None and blocked.fd == 5


write_all = Exercise(
    tidy_points=0,
    hints=(
        "`os.write` does not promise to write everything. What does it return?",
        "When `os.write` took only the first n bytes, which bytes are still to be written?",
        "A full non-blocking pipe raises BlockingIOError. What sleeps until there is room again?",
    ),
)


@write_all.criterion(points=1)
def a_few_bytes(answer):
    """writes a few bytes just as they are"""
    data = answer.fresh_bytes(100)
    r, w = answer.pipe()
    running = answer.call("write_all", w, data)
    _expect(r.read_all(), data, running)
    _nothing_for_nothing(answer)
    return "100 of 100 bytes arrived."


def _nothing_for_nothing(answer):
    r, w = answer.pipe()
    running = answer.call("write_all", w, b"")
    if received := r.read_all():
        fail(f"Given no bytes, it wrote {len(received)}.")
    running.result()


@write_all.criterion(points=1)
def despite_a_signal(answer):
    """writes everything when a signal interrupts it in a full pipe"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w, data, handle=["SIGUSR1"])
    _wait_full(running, r)
    _expect_there(running)
    running.signal("SIGUSR1")
    _expect(r.read_all(), data, running)
    return "300000 of 300000 bytes arrived."


@write_all.criterion(points=1)
def asleep_while_full(answer):
    """writes everything into a non-blocking pipe, and sleeps while that is full"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w.set_nonblocking(), data)
    _wait_full(running, r)
    if answer.processes():
        _expect_there(running)
    doing = running.impatience()
    if doing and not running.ended:
        fail(f"While the pipe was full it {doing}. `select` and `poll` sleep until there is room.")
    _expect(r.read_all(), data, running)
    return "It slept until somebody read; 300000 of 300000 bytes arrived."


@write_all.criterion(points=1)
def nobody_reads(answer):
    """tells its caller when nobody can read any more"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w, data)
    received = r.read_exactly(100_000)
    if received != data[:100_000]:
        _expect(received, data, running)
    r.close()
    raised = running.raised("BrokenPipeError")
    if raised is None:
        did = (
            "`write_all` returned as if all was well"
            if not running.status
            else f"its process {running.ending}"
        )
        fail(f"The reader went away after 100000 of 300000 bytes, and {did}.")
    if raised != "BrokenPipeError":
        running.check()
    return "The reader went away, and BrokenPipeError came out."


def _expect_there(running):
    if running.ended:
        running.check()
        fail("It returned before all bytes could have been written.", running.printed())


def _wait_full(running, r):
    """Wait until the answer has written what it can, and has met the full pipe; or has ended."""
    running.answer.wait(lambda: running.ended or r.queued() > 0 or running.sleeps_for_good(), every=0.001)
    running.wait_done()


def _expect(received, data, running):
    """All bytes, in order; and the function came back without an error."""
    running.wait_ended()
    if received == data:
        running.result()
        return
    running.check()
    if data.startswith(received):
        because = ": `os.write` took only a part, and returned how much" if received else ""
        came = f"{len(received)} of {len(data)} bytes" if len(received) <= 65536 else "Not all bytes"
        fail(f"{came} arrived, then `write_all` returned{because}.")
    same = next((i for i, (a, b) in enumerate(zip(received, data, strict=False)) if a != b), len(data))
    if len(received) > len(data) and same == len(data):
        fail(f"More than {len(data)} bytes arrived: it wrote too much.")
    fail(
        f"Of the bytes that arrived only the first {same} are right: "
        "after a short write, go on with the byte behind it."
    )


# --- build it ---------------------------------------------------------------------------------------

exchange = Exercise(
    tidy_points=0,
    hints=(
        "While you sleep in `os.write` you hear nothing. Who could listen meanwhile, or speak in your place?",
        "A thread, a child, or one `select` that is asked about both directions. Then write only what fits.",
        "The other side knows that you have said all when `w` is closed. What if it stops listening earlier?",
    ),
)

BEGINS = """
import os, sys
heard, count = b"", int(sys.argv[1])
"""

LISTENS = """
while len(heard) < count and (piece := os.read(3, 65536)):
    heard += piece
print("all" if len(heard) == count else len(heard), flush=True)
while piece := os.read(3, 65536):
    heard += piece
os.write(4, heard[::-1])
"""

SPEAKS = """
os.write(4, b"b" * 300_000)
"""

LISTENS_A_LITTLE = """
while len(heard) < 5000 and (piece := os.read(3, 5000 - len(heard))):
    heard += piece
"""


@exchange.criterion(points=1)
def one_after_the_other(answer):
    """says all of it, lets the other side know, and returns the answer"""
    for count in (300_000, 0):
        data = _speech(answer, count)
        _expect_answer(*_talk(answer, BEGINS + LISTENS, data), data[::-1])
    return "The other side listened to the end, and then it answered."


@exchange.criterion(points=1)
def both_at_once(answer):
    """listens while it speaks"""
    for first in ("", LISTENS_A_LITTLE):
        data = _speech(answer, 300_000)
        other = BEGINS + first + SPEAKS + LISTENS
        _expect_answer(*_talk(answer, other, data), b"b" * 300_000 + data[::-1])
    return "Each had 300000 bytes to say, at the same time."


@exchange.criterion(points=0)
def asleep_while_silent(answer):
    """sleeps while the other side is silent"""
    running, said, reply = _between_us(answer)
    _wait_full(running, said)
    doing = running.impatience()
    if running.ended:
        running.result()
        fail("The other side was silent for a moment, and it returned, with 300000 bytes to say.")
    if doing:
        fail(f"The other side was silent, and it {doing}. `select` and `poll` sleep until there is news.")
    reply.close()
    said.read_all()
    running.check()


@exchange.criterion(points=1)
def nobody_listens(answer):
    """goes on listening when the other side has stopped"""
    running, said, reply = _between_us(answer)
    said.read_exactly(1000)
    said.close()
    running.wait_done()
    words = answer.fresh_bytes(50)
    reply.write(words)
    reply.close()
    _expect_answer(running, None, words)
    if running.children_raised() or "Traceback" in running.output:
        fail("It returned the answer, but who spoke in its place raised: that nobody listens is no error.")
    return "After 1000 of 300000 bytes nobody listened any more; it returned the answer."


def _speech(answer, count):
    """So many bytes that nobody can know; but in pictures all of them look the same."""
    return (b"a" * count + answer.fresh_bytes(1000))[-count:] if count else b""


def _talk(answer, text, data):
    """The answer in a conversation with a program of ours, and that program."""
    questions, speak = answer.pipe()
    listen, answers = answer.pipe()
    other = answer.beside("the other side", text, questions, answers, arguments=[str(len(data))])
    return answer.call("exchange", listen, speak, data), other


def _between_us(answer):
    """The answer, with 300000 bytes to say; and our ends: what it says, and where we reply."""
    said, speak = answer.pipe()
    listen, reply = answer.pipe()
    return answer.call("exchange", listen, speak, _speech(answer, 300_000)), said, reply


def _expect_answer(running, other, data):
    value = _result(running, other)
    if other and (heard := other.wait_ended().output.split()) and heard[0] != "all":
        fail(f"The other side heard {heard[0]} bytes, and then the end: that was not all.")
    if not isinstance(value, bytes):
        fail(f"It returned {kind(value)}, not bytes.")
    if value != data:
        fail(f"The other side answered with {len(data)} bytes; it returned {len(value)}, and not the same.")


def _result(running, other):
    """What it returned. One who has heard all and still waits, waits for the end: a deadlock of its own."""
    try:
        return running.result()
    except Failed as failed:
        if failed.picture and other and "all" in other.output and not running.ended:
            fail("The other side has heard all, and waits for more: nobody closed `w`.", failed.picture)
        raise
