"""The first exercise: one line, to learn how an exercise is solved."""

from labkit.exercises import Exercise, fail

hello = Exercise(
    tidy_points=0,
    hints=(
        "`print` writes to a program's output. The pipe is another place: its write end is `w`.",
        "`os.write` takes two things: where the bytes are to go, and the bytes.",
        'A text in Python is not yet bytes: `"hello"` is a text, `b"hello"` is five bytes.',
    ),
)


@hello.criterion(points=1)
def it_arrives(answer):
    """writes the five bytes of hello into the pipe"""
    r, w = answer.pipe()
    running = answer.call("hello", w)
    received = r.read_all()
    running.result()
    if not received:
        fail("Nothing came out at the other end of the pipe.", running.printed())
    if received == b"hello\n":
        fail("6 bytes came: after `hello` there was the end of a line.")
    if received != b"hello":
        fail(f"{len(received)} bytes came, and they are not `hello`.")
    return "The kernel had them, and nothing else."
