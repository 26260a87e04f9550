"""Exercises on System V shared memory: found by a key, kept by nobody, guarded by whoever uses it."""

import contextlib
import os
import signal
import struct

from labkit.exercises import Exercise, fail
from labkit.judge.claims import kind

KEY = 0x5EA70000 + os.getuid() % 0x10000
"""For each user another: where there are no rooms, the answers of two don't meet."""
ONE = "a System V shared memory segment"

# --- programs of ours, beside the answer: each ends when descriptor 3 does ---------------------------

HOLDER = f"""
import os, sys, sysv_ipc
size, text, leaves = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3]
segment = sysv_ipc.SharedMemory({KEY}, sysv_ipc.IPC_CREX, size=size, init_character=bytes(1))
segment.write(text)
segment.detach() if leaves == "detached" else None
print(os.getpid(), flush=True)
while order := os.read(3, 1):
    segment.write(order)
print(segment.id, flush=True)
segment.remove()
"""

GUEST = f"""
import os, sysv_ipc
segment = sysv_ipc.SharedMemory({KEY})
print(os.getpid(), flush=True)
os.read(3, 1)
"""

VIEWER = f"""
import os, sysv_ipc
try:
    segment = sysv_ipc.SharedMemory({KEY})
    print("seen" if segment.read(1) else "", flush=True)  # touched, so that its bytes are seen
    os.read(3, 1)
    segment.remove()
except sysv_ipc.ExistentialError:
    print("none", flush=True)
"""


def _beside(answer, name, text, *arguments):
    """One of our programs, ready; and the pipe whose end is its end."""
    if "IPC_CREX" in text:
        _clear(answer)
    r, w = answer.pipe()
    program = answer.beside(name, text, r, arguments=arguments)
    answer.wait(lambda: "\n" in program.output or program.ended, every=0.001)
    return program, w


def _holder(answer, size=4096, data=b"", leaves="attached"):
    return _beside(answer, "maker", HOLDER, str(size), data.hex(), leaves)


CLEAR = f"""
import sys, sysv_ipc
try:
    sysv_ipc.remove_shared_memory(int(sys.argv[1]) if sys.argv[1:] else sysv_ipc.SharedMemory({KEY}).id)
except sysv_ipc.ExistentialError:
    pass
"""


def _clear(answer, *ids):
    """Remove what an answer left in our way: the segment with our key, or these."""
    answer.beside("clear", CLEAR, arguments=[str(id) for id in ids]).wait_ended()


def _end(program, w):
    w.close()
    program.wait_ended()


def _segment(answer):
    """The segment that a process of the picture has, as the kernel describes it; None when there is none."""
    found = [thing for thing in answer.scene().objects if thing.kind == "sysv-shm"]
    return found[0] if found else None


def _taken_away(answer):
    """The segment with our key, as the kernel describes it, once it is removed; None if there is none."""
    viewer, w = _beside(answer, "viewer", VIEWER)
    seen = _segment(answer)
    _end(viewer, w)
    return seen


# --- read the record --------------------------------------------------------------------------------

about = Exercise(
    hints=(
        "`sysv_ipc.SharedMemory(key)` attaches the segment: that alone changes three fields of its record.",
        "`ipcs -m` shows a segment without attaching it. Where does it read?",
        "`/proc/sysvipc/shm` has a line for each segment, and its first line names the columns.",
    ),
)


@about.criterion(points=1)
def its_record(answer):
    """tells size, creator, and how many have it attached"""
    size = 1000 + answer.fresh_bytes(1)[0]
    maker, w = _holder(answer, size)
    guest, w2 = _beside(answer, "guest", GUEST)
    value = answer.call("about", KEY).result()
    other = answer.call("about", KEY + 1).result()
    _end(guest, w2)
    _end(maker, w)
    expected = {"size": size, "creator": int(maker.output.split()[0]), "attached": 2}
    if value is None:
        fail("There is a segment with this key, and it returned None.")
    if not isinstance(value, dict):
        fail("It did not return a dictionary.")
    for word, right in expected.items():
        if word not in value:
            fail(f"`{word}` is missing from what it returned.")
        if value[word] != right:
            fail(_wrong(word, right, value[word]))
    if other is not None:
        fail("There was a segment, but none with the key it was asked for; it did not return None.")
    return "Two processes had it attached, and it said so."


def _wrong(word, right, said):
    if word == "attached" and said == right + 1:
        return "Two processes had it attached; it said 3: it counted itself."
    if word == "creator":
        return "`creator` is not the pid of the process that made it."
    if word == "size":
        return f"`size` is {_kind(said)}, but not the size in the record."
    return f"`{word}` was {right}, and it said {_shown(said)}."


def _shown(value):
    return str(value) if type(value) in (int, bool) else kind(value)


@about.criterion(points=1)
def untouched(answer):
    """changes nothing by looking"""
    size = 1000 + answer.fresh_bytes(1)[0]
    maker, w = _holder(answer, size)
    before = _segment(answer)
    value = answer.call("about", KEY).result()
    after = _segment(answer)
    _end(maker, w)
    if not isinstance(value, dict) or value.get("size") != size:
        fail("It has not found the segment, so it can hardly have changed it.")
    if after is None or after.destroyed:
        fail("The segment is not yours, and it was removed.")
    if after.last != before.last:
        fail("After it, the record says that your process was the last to attach or detach the segment.")
    return "The last to attach it is still its maker."


# --- leave no segment behind ------------------------------------------------------------------------

team = Exercise(
    tidy_points=0,
    hints=(
        "Code that runs at the end, in `finally` or a handler, does not run after SIGKILL.",
        "What happens to a segment that is removed while somebody has it attached?",
        "`fork` hands on what is attached, whether it still has a key or not. So when can you remove it?",
    ),
)


@team.criterion(points=1)
def both_have_it(answer):
    """is two processes with one segment"""
    running, ours = _working(answer)
    children = set(running.pids()) - {running.pid}
    _send(children, signal.SIGSTOP)
    ours.close()
    answer.wait_quiet(lambda: running.ended or running.rests())
    left_early = running.ended
    _send(children, signal.SIGCONT)
    running.result()
    if left_early:
        fail("It returned while its child was still there: `os.wait` waits for it, and takes leave of it.")
    return "Attached twice."


def _send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _working(answer):
    """The answer at work: two processes that wait for the pipe, one segment; and our end of that pipe."""
    theirs, ours = answer.pipe()
    running = answer.call("team", theirs)
    seen = []

    def at_work():
        seen[:] = [answer.scene()]
        return running.ended or _is_at_work(seen[0])

    answer.wait_quiet(at_work, seconds=2)
    if running.ended:
        running.result()
        fail("It returned, though nothing had come through the pipe and nobody had closed it.")
    _explain(seen[0])
    return running, ours


def _is_at_work(scene):
    shared = [thing for thing in scene.objects if thing.kind == "sysv-shm"]
    waiting = [process for process in scene.processes if _waits_for_a_pipe(process, scene)]
    return len(shared) == 1 and shared[0].attached == 2 and len(waiting) == 2 and _greets(shared[0])


def _waits_for_a_pipe(process, scene):
    waits_for = (
        {process.blocked.object, *(row.object for row in process.blocked.on)} if process.blocked else set()
    )
    return any(scene.object(id).kind == "pipe" for id in waits_for - {None})


def _greets(segment):
    return (segment.head or b"").startswith(b"ready")


def _explain(scene):
    if _is_at_work(scene):
        return
    shared = [thing for thing in scene.objects if thing.kind == "sysv-shm"]
    if len(shared) != 1:
        fail(f"Your processes have {len(shared)} segments, not one.")
    if len(scene.processes) != 2:
        count = len(scene.processes)
        fail(f"There are {count} processes, not two." if count > 1 else "There is only one process, not two.")
    if shared[0].attached != 2:
        fail(f"The segment is attached {shared[0].attached} times, not twice.")
    if not _greets(shared[0]):
        fail("The segment does not begin with `ready`.")
    fail("Not both of your processes sleep and wait for the end of the pipe.")


@team.criterion(points=2)
def killed(answer):
    """leaves no segment behind when both are killed"""
    running, ours = _working(answer)
    scene = answer.scene()
    _send(answer.processes(), signal.SIGKILL)
    running.wait_ended()
    answer.wait_quiet(lambda: ONE not in answer.objects(), seconds=1)
    left = ONE in answer.objects()
    ours.close()
    if left:
        _clear(answer, *(thing.shmid for thing in scene.objects if thing.kind == "sysv-shm"))
        fail("Both were ended by SIGKILL, and the segment is still there: nobody was left to remove it.")
    return "Both were ended by SIGKILL, and the segment went with them."


# --- attach or create -------------------------------------------------------------------------------

WELCOME = b"welcome"
READY = b"\x01" + WELCOME

join = Exercise(
    tidy_points=0,
    hints=(
        "With `sysv_ipc.IPC_CREX`, exactly one of many callers makes the segment. What do the others get?",
        "A segment is there before anything is in it. The first byte tells: write it last, and wait for it.",
        "`SharedMemory` fills a new segment with spaces, unless `init_character` says otherwise.",
    ),
)


@join.criterion(points=1)
def makes_it(answer):
    """makes the segment when there is none, for its user alone"""
    _clear(answer)
    value = answer.call("join", KEY).result()
    seen = _taken_away(answer)
    if seen is None:
        fail("There is no segment with this key after it.")
    if seen.size != 4096:
        fail(f"The segment has {seen.size} bytes, not 4096.")
    if seen.mode & 0o777 != 0o600:
        fail(f"Its mode is {seen.mode & 0o777:04o}, not 0600.")
    if not (seen.head or b"").startswith(READY):
        fail("The segment does not begin with the byte 1 and `welcome`.")
    if value is not True:
        fail(f"It made the segment, and returned {_shown(value)}.")
    return "4096 bytes, mode 0600."


@join.criterion(points=1)
def finds_it(answer):
    """finds the one that is there, and leaves its bytes alone"""
    mine = b"\x01" + answer.fresh_bytes(100)
    maker, w = _holder(answer, 4096, mine)
    running = answer.call("join", KEY)
    if running.raised() == "ExistentialError":
        fail("The segment was there already, and `join` raised ExistentialError: it must attach that one.")
    value = running.result()
    seen = _segment(answer)
    _end(maker, w)
    if seen is None or seen.destroyed:
        fail("The segment was there, and your process removed it.")
    if not (seen.head or b"").startswith(mine[:40]):
        fail("Somebody's bytes were in the segment, and your process wrote over them.")
    if value is not False:
        fail(f"The segment was there already, and it returned {_shown(value)}.")
    return "It returned False; the bytes are as they were."


@join.criterion(points=1, seconds=15)
def waits_for_it(answer):
    """waits until whoever makes it is ready"""
    maker, w = _holder(answer, 4096)
    running = answer.call("join", KEY)
    running.looks_again(times=10)
    if running.ended:
        running.result()
        fail("The segment was there, but its first byte was still 0; it returned all the same.")
    w.write(b"\x01")
    value = running.result()
    _end(maker, w)
    if value is not False:
        fail(f"Another process made the segment, and it returned {_shown(value)}.")
    return "It returned when the first byte was 1."


STEPS = 4
"""To attach or make it, and to write into it: so many steps of `join` are worth coming between."""


@join.criterion(points=1, seconds=20)
def at_the_same_time(answer):
    """makes one segment when somebody else comes at the same time"""
    for step in range(1, STEPS + 1):
        _clear(answer)
        first, second = _one_between_the_steps_of_another(answer, step)
        said = [run.wait_ended().output.split()[-2:] for run in (first, second)]
        seen = _taken_away(answer)
        for run in (first, second):
            run.check()
        true = [words[:1] for words in said].count(["True"])
        if true != 1:
            fail(f"Two came at the same time, and {'both' if true else 'none'} returned True.")
        if any(words[1:] != ["ready"] for words in said):
            fail("Two came at the same time, and one of them returned when the segment was not yet ready.")
        maker = (first, second)[said.index(["True", "ready"])].pid
        if seen is None or seen.creator != maker or not (seen.head or b"").startswith(READY):
            fail(
                "Two came at the same time, and the one who returned True has made no segment that is ready."
            )
    return "Somebody came between any two steps of another; one of them made it."


def _one_between_the_steps_of_another(answer, step):
    """Two who call `join`: the one is held after so many steps, until the other can do nothing more."""
    hold, ours = answer.pipe()
    first = answer.beside("join", answer.text + HELD, hold, arguments=[str(step)])
    answer.wait(lambda: "held" in first.output or first.ended, every=0.001)
    second = answer.beside("join", answer.text + HELD, arguments=["0"])
    second.looks_again()
    ours.close()
    first.looks_again(times=30, looks=3000)
    if not first.ended and not second.ended:
        fail("Two came at the same time, and both wait: each takes the other for the one who makes it.")
    return first, second


HELD = f"""
import os as _os, sys as _sys, sysv_ipc as _ipc

_plain = _ipc.SharedMemory

class _Held(_plain):
    left = int(_sys.argv[1])
    def _step(self):
        _Held.left -= 1
        if _Held.left == 0:
            print("held", flush=True)
            _os.read(3, 1)
    def __init__(self, *arguments, **named):
        try:
            super().__init__(*arguments, **named)
        finally:
            self._step()
    def write(self, data, offset=0):
        for at in (0, 1):  # nobody has promised in which order the bytes of one write arrive
            if piece := (data[:1], data[1:])[at]:
                super().write(piece, offset + at)
                self._step()

for _name, _value in [*globals().items()]:
    if _value is _plain and _name != "_plain":
        globals()[_name] = _Held
_ipc.SharedMemory = _Held
_first = join({KEY})
print(_first, "ready" if _plain({KEY}).read(8) == {READY} else "early", flush=True)
"""
"""Stores are no system calls, so nobody outside could hold it between two: here it waits by itself."""

# --- a shared table with a version ------------------------------------------------------------------

CELLS = 20_000

total = Exercise(
    tidy_points=0,
    hints=(
        "Odd means that somebody is writing. Even means that nobody was, at the moment when you looked.",
        "Between your look at the version and your last cell, a writer may have come. How would you notice?",
        "Read the version before and after: when it is even and the same, no writer came between.",
    ),
)

WRITER = f"""
import os, random, struct, sys, time, sysv_ipc
segment = sysv_ipc.SharedMemory({KEY}, sysv_ipc.IPC_CREX, size=8 + 8 * {CELLS}, init_character=bytes(1))
version = int(sys.argv[1])
value, busy = int(sys.argv[2]), sys.argv[3] == "busy"
cells = [value] * {CELLS} if busy else range(value, value + {CELLS})
segment.write(struct.pack("<Q{CELLS}q", version, *cells))
half = 4 * {CELLS}
print("ready", flush=True)
os.set_blocking(3, False)
def told():
    try:
        return os.read(3, 1) == b""
    except BlockingIOError:
        return False
while not told():
    if busy:
        value = struct.pack("<q", random.randrange(1, 1 << 40))
        segment.write(struct.pack("<Q", version + 1))
        segment.write(value * ({CELLS} // 2), 8)
        time.sleep(0.002)
        segment.write(value * ({CELLS} // 2), 8 + half)
        version += 2
        segment.write(struct.pack("<Q", version))
        print(int.from_bytes(value, "little"), flush=True)
    time.sleep(random.choice((0, 0.002, 0.02, 0.3)) if busy else 0.005)
segment.remove()
"""


def _writer(answer, version, value, mood):
    return _beside(answer, "writer", WRITER, str(version), str(value), mood)


@total.criterion(points=1, seconds=15)
def adds_up(answer):
    """adds up the cells of a table at rest"""
    value = -(1 << 40) - int.from_bytes(answer.fresh_bytes(4), "little")  # no unsigned, no 4 bytes
    writer, w = _writer(answer, 6, value, "idle")
    running = answer.call("total", KEY)
    said = running.result()
    _end(writer, w)
    right = sum(range(value, value + CELLS))
    if type(said) is not int:
        fail(f"It returned {kind(said)}, not a whole number.")
    if said == right + CELLS * (1 << 64):
        fail("The cells are below zero, and it took them for unsigned numbers.")
    if said != right:
        fail(f"It returned {_kind(said)}, and that is not what the cells add up to.")


@total.criterion(points=1, seconds=15)
def waits_while_odd(answer):
    """waits while the version is odd"""
    value = int.from_bytes(answer.fresh_bytes(4), "little")
    version = struct.pack("<Q", 7)
    maker, w = _holder(answer, 8 + 8 * CELLS, version + struct.pack("<q", value) * 2)
    running = answer.call("total", KEY)
    running.looks_again(times=10)
    if running.ended:
        running.result()
        fail("The version was 7, so somebody was still writing; it returned a total all the same.")
    w.write(b"\x08")
    said = running.result()
    _end(maker, w)
    if said != value * 2:
        fail(f"When the version was 8 it returned {_kind(said)}, which is not what the cells add up to.")
    return "It returned when the version was 8."


@total.criterion(points=2, seconds=20)
def never_torn(answer):
    """never mixes two versions"""
    torn = any(_torn(answer, *reads) for reads in MOMENTS)
    writer, w = _writer(answer, 0, 7, "busy")
    totals = [answer.call("total", KEY).result() for _ in range(5)]
    _end(writer, w)
    right = {int(word) * CELLS for word in writer.output.split()[1:]} | {7 * CELLS}
    if torn or any(said not in right for said in totals):
        fail("While another process wrote, it returned a total that the table never had: old cells and new.")
    return "A writer came between its looks; the table had every total that it returned."


MOMENTS = (0, 1), (0, 4), (1, 1), (2, 2), (1, 3), (2, 3)
"""After so many reads a writer begins, and after so many it ends."""


def _torn(answer, begin, end):
    """Is what it returns a mixture, when a writer begins and ends after so many of its reads?"""
    old, new = (int.from_bytes(answer.fresh_bytes(4), "little") for _ in range(2))
    orders, ours = answer.pipe()
    done, theirs = answer.pipe()
    _clear(answer)
    writer = answer.beside("writer", HALF_WAY, orders, theirs, arguments=[str(begin), str(old), str(new)])
    answer.wait(lambda: "ready" in writer.output or writer.ended, every=0.001)
    running = answer.beside("total", answer.text + MET, done, ours, arguments=[str(begin), str(end)])
    answer.wait(lambda: running.ended or "finished" in writer.output, every=0.001)
    running.looks_again(times=30, looks=3000)
    if not running.ended:
        fail("The writer has finished, and it goes on and on: does it compare with a version of long ago?")
    writer.wait_ended()
    running.check()
    return running.output.split()[-1:] not in ([str(old * CELLS)], [str(new * CELLS)])


HALF_WAY = f"""
import os, select, struct, sys, sysv_ipc
begins, old, new = map(int, sys.argv[1:])
segment = sysv_ipc.SharedMemory({KEY}, sysv_ipc.IPC_CREX, size=8 + 8 * {CELLS}, init_character=bytes(1))
segment.write(struct.pack("<q", old) * {CELLS}, 8)
half = struct.pack("<q", new) * ({CELLS} // 2)
def begin():
    segment.write(struct.pack("<Q", 1))
    segment.write(half, 8)
def finish():
    segment.write(half, 8 + len(half))
    segment.write(struct.pack("<Q", 2))
steps = [begin, finish]
if begins == 0:
    steps.pop(0)()
print("ready", flush=True)
while steps and select.select([3], [], [], 2)[0] and os.read(3, 1):
    steps.pop(0)()
    os.write(4, b".")
while steps:  # nobody gave the order
    steps.pop(0)()
print("finished", flush=True)
while os.read(3, 1):
    os.write(4, b".")
segment.remove()
"""
"""A writer who begins and finishes when told to; it begins at once when it is to come before all reads."""

MET = f"""
import os as _os, sys as _sys, sysv_ipc as _ipc

_plain = _ipc.SharedMemory

class _Met(_plain):
    reads, moments = 0, tuple(map(int, _sys.argv[1:]))
    def read(self, byte_count=0, offset=0):
        first = (byte_count or self.size - offset) // 2
        if first <= 4:
            return self._read(byte_count, offset)
        return self._read(first, offset) + self._read(byte_count and byte_count - first, offset + first)
    def _read(self, byte_count, offset):
        found = super().read(byte_count, offset)
        _Met.reads += 1
        for _ in range(_Met.moments.count(_Met.reads)):
            _os.write(4, b"!")
            _os.read(3, 1)
        return found

for _name, _value in [*globals().items()]:
    if _value is _plain and _name != "_plain":
        globals()[_name] = _Met
_ipc.SharedMemory = _Met
print(total({KEY}), flush=True)
"""
"""Whoever reads lets the writer go a step after so many reads. To read many cells is to read twice."""


def _kind(said):
    """What was returned, in words that are the same each time: the cells are not."""
    return "a whole number" if isinstance(said, int) else _shown(said)
