"""Exercises that only the tests know: one for each sort of answer."""

from labkit.exercises import Exercise, fail

function = Exercise()


@function.criterion(points=2, seconds=2)
def returns_42(answer):
    """returns 42"""
    value = answer.call("f").result()
    if value != 42 or isinstance(value, bool):
        fail("It returned something else.")


program = Exercise()


@program.criterion(points=2, seconds=5)
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
