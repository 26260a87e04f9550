"""Exercises on pipes: every byte in, every byte out, and the end in sight."""

from functools import partial

from labkit.exercises import Exercise, fail

WAITS = ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2")

write_all = Exercise(
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


@write_all.criterion(points=2)
def despite_a_signal(answer):
    """writes everything when a signal interrupts it in a full pipe"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w, data, handle=["SIGUSR1"])
    running.wait_asleep("write", otherwise="It returned before all bytes could have been written.")
    running.signal("SIGUSR1")
    _expect(r.read_all(), data, running)
    return "300000 of 300000 bytes arrived."


@write_all.criterion(points=2)
def without_blocking(answer):
    """writes everything into a non-blocking pipe whose reader is slow"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w.set_nonblocking(), data)
    _wait_full(running, r)
    _expect(r.read_all(), data, running)
    return "300000 of 300000 bytes arrived."


@write_all.criterion(points=1)
def asleep_while_full(answer):
    """sleeps until there is room in a full non-blocking pipe"""
    data = answer.fresh_bytes(300_000)
    r, w = answer.pipe()
    running = answer.call("write_all", w.set_nonblocking(), data)
    _wait_full(running, r)
    calls = running.sleeps_in(*WAITS)
    if running.ended:
        _expect(r.read_all(), data, running)
    if not calls & set(WAITS):
        doing = f"slept in `{min(calls)}` and tried again" if calls else "kept trying"
        fail(f"While the pipe was full it {doing}. `select` and `poll` sleep until there is room.")
    _expect(r.read_all(), data, running)
    return "It slept until somebody read."


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
    raised = running.raised()
    if raised is None:
        fail(
            "The reader went away after 100000 of 300000 bytes, and `write_all` returned as if all was well."
        )
    if raised != "BrokenPipeError":
        running.check()
    return "The reader went away, and BrokenPipeError came out."


def _wait_full(running, r):
    """Wait until the pipe is full and the answer has met that, or it has ended."""
    running.answer.wait(lambda: running.ended or r.queued() >= 65536, every=0.001)
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
        fail(f"{len(received)} of {len(data)} bytes arrived, then `write_all` returned{because}.")
    same = next((i for i, (a, b) in enumerate(zip(received, data, strict=False)) if a != b), len(data))
    if len(received) > len(data) and same == len(data):
        fail(f"{len(received)} bytes arrived instead of {len(data)}: it wrote too much.")
    fail(
        f"{len(received)} bytes arrived, but only the first {same} are right: "
        "after a short write, go on with the byte behind it."
    )


read_to_end = Exercise(
    hints=(
        "`os.read` returns what is there now. Which value of it means that nothing will ever come?",
        "A pipe is at its end when *nobody* holds its write end any more. Who holds it?",
        "Your own copy of the write end counts: close it before you read.",
    ),
)


@read_to_end.criterion(points=1)
def in_pieces(answer):
    """waits for what comes later"""
    pieces = [answer.fresh_bytes(count) for count in (10, 1, 4096, 10)]
    data = b"".join(pieces)
    running, writer = _reading(answer)
    for piece in pieces:
        _wait_reading(running, data)
        writer.write(piece)
        writer.wait_empty()
    writer.close()
    _expect_returned(running, data)
    return "4 pieces came, with pauses; it returned all 4117 bytes."


@read_to_end.criterion(points=2)
def the_end(answer):
    """returns when the last writer has gone"""
    data = answer.fresh_bytes(1000)
    running, writer = _reading(answer)
    writer.write(data)
    writer.wait_empty()
    _wait_reading(running, data)
    writer.close()
    _expect_returned(running, data)
    return "It returned all 1000 bytes."


@read_to_end.criterion(points=1)
def every_writer(answer):
    """reads on until every writer has gone"""
    first, second = answer.fresh_bytes(2000), answer.fresh_bytes(3000)
    running, early = _reading(answer)
    late = early.copy()
    early.write(first)
    early.close()
    late.wait_empty()
    left_early = partial(_left_early, running, first + second)
    running.wait_asleep("read", *WAITS, otherwise=left_early)
    if not running.waits_for_ever():
        answer.wait_quiet(lambda: running.ended, seconds=1)
    if running.ended:
        left_early()
    late.write(second)
    late.close()
    _expect_returned(running, first + second)
    return "One writer went, another wrote on; it returned all 5000 bytes."


@read_to_end.criterion(points=1)
def more_than_fits(answer):
    """returns more than a pipe can hold"""
    data = answer.fresh_bytes(300_000)
    running, writer = _reading(answer)
    writer.write(data)
    writer.close()
    _expect_returned(running, data)
    return "It returned all 300000 bytes."


@read_to_end.criterion(points=1)
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
    running.wait_asleep("read", *WAITS, otherwise=lambda: _expect_returned(running, data, early=True))


def _left_early(running, data):
    value = running.result()
    if isinstance(value, bytes):
        fail(f"It returned {len(value)} of {len(data)} bytes while a writer was still there.")
    fail(f"It returned {_shown(value)}, not bytes.")


def _expect_returned(running, data, early=False):
    value = running.result()
    if value == data and not early:
        return
    if not isinstance(value, bytes):
        fail(f"It returned {_shown(value)}, not bytes.")
    if value == data:
        fail("It returned before the writer had gone: it cannot know that no more will come.")
    if data.startswith(value):
        fail(
            f"It returned {len(value)} of {len(data)} bytes: "
            "a read returns what is there, not all that will come."
        )
    fail(f"It returned {len(value)} bytes, and they are not the {len(data)} that were written.")


def _shown(value):
    return "None" if value is None else f"a value of type {type(value).__name__}"
