"""Exercises on Unix sockets: what arrives, who speaks first, where a message ends, and whose turn it is."""

import contextlib
import os
import socket

from labkit.exercises import Exercise, fail
from labkit.judge import sockets

DOOR = "door"

# --- trace it ---------------------------------------------------------------------------------------

what_arrives = Exercise(
    hints=(
        "Does a stream remember where one `send` ended and the next began?",
        "A message is received whole, by one `recv`. What becomes of what `recv(1)` has no room for?",
        "A connection can come to its end, and then `recv` returns nothing. Which type has no connection?",
    ),
)


@what_arrives.criterion(points=1)
def from_each_type(answer):
    """says what each call returns, on each type of socket"""
    said = _said(answer)
    _compare_rows(said, "stream", socket.SOCK_STREAM)
    _compare_rows(said, "datagram", socket.SOCK_DGRAM)
    _compare_rows(said, "seqpacket", socket.SOCK_SEQPACKET)


def _said(answer):
    value = answer.call("what_arrives").result()
    if not isinstance(value, dict):
        fail("It returns no dict: keep the form of the cell.")
    return value


def _compare_rows(said, name, kind):
    rows = said.get(name)
    if not isinstance(rows, list) or len(rows) != 3:
        fail(f"For {name!r} there is no list of three.")
    for number, (told, truth) in enumerate(zip(rows, _truth(kind), strict=True), 1):
        if isinstance(told, str) and told != "waits":
            fail(f"On a {name} socket, recv number {number} returns bytes, b'…', or \"waits\": not {told!r}.")
        if told != truth:
            fail(f"On a {name} socket, recv number {number} does something else than {_word(told)}.")


def _truth(kind):
    """Asked of the kernel: what these calls return, "waits" where one would wait."""
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    with a, b:
        for word in (b"ab", b"cde"):
            a.send(word)
        a.close()
        b.setblocking(False)
        return [_received(b, most) for most in (1, 100, 100)]


def _received(end, most):
    try:
        return end.recv(most)
    except BlockingIOError:
        return "waits"


def _word(told):
    return repr(told) if isinstance(told, bytes | str | None) else "that"


# --- fix it -----------------------------------------------------------------------------------------

after_you = Exercise(
    hints=(
        "Run the two functions side by side on paper: in which call is each of them, and who could end it?",
        "Nothing needs to be asked before the host can say welcome.",
        "How does the host learn that no question will follow, from a guest who still listens? `shutdown(2)`",
    ),
)


@after_you.criterion(points=1)
def to_the_end(answer):
    """both come to the end of their dialogue"""
    for count in (3, 0):
        questions = [answer.fresh_bytes(4).hex().encode() for _ in range(count)]
        running = answer.beside(
            "dialogue", answer.text + DIALOGUE, arguments=[each.decode() for each in questions]
        )
        running.wait_ended().check()
        agreed = [b"welcome", *(question.upper() for question in questions), b"goodbye"]
        _compare("the guest", "heard", _heard(running), agreed)
        _compare("the host", "said", _overheard(answer, questions), agreed)
    return "3 questions, and none at all."


@after_you.criterion(points=1)
def host_first(answer):
    """the host says welcome before anybody has asked"""
    guest, end = sockets.pair(answer, socket.SOCK_SEQPACKET)
    host = answer.call("host", end)
    _hears(answer, host, guest, b"welcome", "Nobody had said anything yet, and")
    guest.close()
    host.wait_ended()


DIALOGUE = """
import os, socket, sys
mine, yours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    mine.close()
    host(yours.detach())
    os._exit(0)
yours.close()
heard = guest(mine.detach(), [question.encode() for question in sys.argv[1:]])
os.wait()
print("heard", *[word.hex() for word in heard])
"""
"""Both sides, in two processes that the kernel knows to be joined."""


def _heard(running):
    """What the guest has heard, as it claims."""
    words = (running.output.splitlines() or [""])[-1].split(" ")
    if words[0] != "heard":
        fail(f"The dialogue did not come to its end: it {running.ending}.", running.printed())
    with contextlib.suppress(ValueError):
        return [bytes.fromhex(word) for word in words[1:]]
    return []


def _overheard(answer, questions):
    """What the host really says to the guest, when all that they say goes through us."""
    (with_host, hosts), (with_guest, guests) = (sockets.pair(answer, socket.SOCK_SEQPACKET) for _ in range(2))
    host, guest = answer.call("host", hosts), answer.call("guest", guests, questions)
    said, ways = [], [(with_host, with_guest), (with_guest, with_host)]
    while ways:
        answer.wait(lambda: any(one.ready() for one, _ in ways), every=0.005)
        one, other = way = next(way for way in ways if way[0].ready())
        word = one.read_some()
        if not word and one.is_over():
            ways.remove(way)
            other.finish()
        else:  # an empty message is a message too
            other.send(word)
            said += [word] if one is with_host else []
    guest.result()
    host.result()
    return said


def _compare(who, did, words, agreed):
    """Nothing of the questions is told: they are others each time."""
    asked = len(agreed) - 2
    for number, wanted in enumerate(agreed):
        what = _word(wanted) if number in (0, asked + 1) else f"the answer to question {number}"
        if len(words) <= number:
            fail(f"With {asked} questions, {who} never {did} {what}.")
        if words[number] != wanted:
            fail(f"With {asked} questions, what {who} {did} at place {number + 1} is not {what}.")
    if len(words) > len(agreed):
        fail(f"With {asked} questions, {who} {did} {len(words)} messages: more than were agreed on.")


# --- write it ---------------------------------------------------------------------------------------

messages = Exercise(
    hints=(
        "`os.read(fd, n)` returns what is there, up to n bytes. What if half a length has come?",
        "Write a small function that reads exactly n bytes, however they come, and use it twice.",
        "The end is good news between two messages and bad news inside one. How do you tell them apart?",
    ),
)


@messages.criterion(points=1)
def every_message(answer):
    """finds every message, however the bytes come"""
    together = [answer.fresh_bytes(count) for count in (5, 0, 300)]
    reader, writer = _reading(answer)
    writer.write(b"".join(map(_framed, together)))
    writer.close()
    _expect(reader, together, "3 messages came at once, one of them empty")
    pieces = [bytes(7), bytes(65_536)]  # zeros: who takes them for lengths goes astray the same way each time
    data = b"".join(map(_framed, pieces))
    reader, writer = _reading(answer)
    for start, end in ((0, 1), (1, 3), (3, 6), (6, 11), (11, 13), (13, 20), (20, len(data))):
        writer.write(data[start:end])
        writer.wait_empty()
    reader.impatience()  # whoever waits only for a while is given that while
    if reader.ended:
        reader.result()
        fail("The other side was silent for a moment, and it returned: only an end is the end.")
    writer.close()
    _expect(reader, pieces, "2 messages came in 7 pieces")
    return "3 messages at once, 2 in pieces."


@messages.criterion(points=1)
def cut_off(answer):
    """raises EOFError when the end comes inside a message"""
    message = answer.fresh_bytes(20)
    whole = _framed(message)
    reader, writer = _reading(answer)
    writer.write(whole)
    writer.close()
    if reader.raised("EOFError") == "EOFError":
        fail("One whole message came, and then the end: that is no reason to raise EOFError.")
    _expect(reader, [message], "1 message came")
    for cut, where in ((2, "inside a length"), (4, "right after a length"), (10, "inside a message")):
        reader, writer = _reading(answer)
        writer.write(whole + whole[:cut])
        writer.close()
        raised = reader.raised("EOFError")
        if raised is None:
            fail(f"The other side was gone {where}, and `messages` returned as if all was well.")
        if raised != "EOFError":
            reader.check()


def _framed(data):
    return len(data).to_bytes(4, "big") + data


def _reading(answer):
    writer, end = sockets.pair(answer)
    return answer.call("messages", end), writer


def _expect(reader, sent, what):
    got = reader.result()
    if got == sent:
        return
    if not isinstance(got, list):
        fail("It returned no list.")
    sizes = [len(each) if isinstance(each, bytes) else "no" for each in got]
    told = ", ".join(map(str, sizes[:6])) + ("…" if len(sizes) > 6 else "")
    true = ", ".join(str(len(each)) for each in sent)
    if sizes == [len(each) for each in sent]:
        fail(f"{what}; the lengths are right, the bytes are not.")
    fail(f"{what}, of {true} bytes; it returned {len(got)}, of {told or 'no'} bytes.")


# --- build it ---------------------------------------------------------------------------------------

serve = Exercise(
    hints=(
        "`bind`, `listen`, then one loop for the clients, and inside it one for the messages of a client.",
        "When has a client left? What does `recv` return then, and what may `send` raise?",
        "Who made the socket file, and who removes it?",
    ),
)


@serve.criterion(points=1)
def stars(answer):
    """answers every message with a star"""
    server, client = _served(answer, "serve")
    for number, word in enumerate((b" stop", bytes(100), b"STOP, or go on?"), 1):
        client.write(word)
        _hears(answer, server, client, b"*", f"A client sent message {number}, and")
    for word in (b"two", b"at once"):
        client.write(word)
    for number in (4, 5):
        _hears(answer, server, client, b"*", f"A client sent messages 4 and 5 at once, and for {number}")
    _stop(server, client)
    return "5 messages, 5 stars."


@serve.criterion(points=1)
def one_after_another(answer):
    """serves the clients in line, however they leave, until one says STOP"""
    server, first = _served(answer, "serve")
    first.write(b"hello")
    _hears(answer, server, first, b"*", "The first client sent a message, and")
    rude = _another(answer, server)
    rude.write(b"I don't wait for answers")
    rude.close()
    mute, last = (sockets.call_at_once(answer, DOOR, socket.SOCK_SEQPACKET) for _ in range(2))
    for client in (mute, first):
        if client:
            client.close()
    if not mute:  # the line was short: only now there is a place
        _another(answer, server).close()
    last = last or _another(answer, server)
    last.write(b"hello")
    _hears(
        answer,
        server,
        last,
        b"*",
        "Two clients had left, one of them without waiting for its star; the next sent a message, and",
    )
    _stop(server, last)
    return "4 clients came, one after another."


many = Exercise(
    hints=(
        "While you wait in `recv` for one client you cannot hear another. Which call waits for several?",
        "The listening socket can be waited for too: it is ready to be read when somebody is in line.",
        "A client that has left is ready for ever: its `recv` returns nothing. Take it out of the set.",
    ),
)


@many.criterion(points=1)
def whoever_speaks(answer):
    """answers whoever speaks, while others are silent"""
    server, silent = _served(answer, "serve_all")
    second, third = _another(answer, server), _another(answer, server)
    for client, name in ((third, "The third"), (second, "The second"), (third, "The third")):
        client.write(b"hello")
        _hears(
            answer, server, client, b"*", f"{name} of three clients sent a message, the first is silent, and"
        )
    with server.standing_still():
        second.write(b"I don't wait for answers")
        second.close()
    late = _another(answer, server)
    for client, name in ((late, "A client that came late"), (silent, "The first client at last")):
        client.write(b"hello")
        _hears(answer, server, client, b"*", f"{name} sent a message, and")
    _stop(server, third)
    if silent.read_some() != b"":
        fail("It said something more after STOP.")
    return "4 clients, and nobody waited for anybody."


@many.criterion(points=1)
def one_thread(answer):
    """does it with one thread, asleep while nobody speaks"""
    server, first = _served(answer, "serve_all")
    second = _another(answer, server)
    for client in (first, second):
        client.write(b"hello")
        _hears(answer, server, client, b"*", "One of two clients sent a message, and")
    _expect_alone(answer, server)
    _another(answer, server).close()
    first.write(b"hello")
    _hears(answer, server, first, b"*", "A third client had left, another sent a message, and")
    if doing := server.impatience():
        fail(f"While nobody spoke it {doing}. `select` and `poll` sleep until somebody does.")
    _stop(server, second)


def _expect_alone(answer, server):
    threads = len(os.listdir(f"/proc/{server.pid}/task"))
    if threads > 1:
        fail(f"It has {threads} threads for 2 clients. One is enough, if it waits for all of them at once.")
    processes = len(answer.processes())
    if processes > 1:
        fail(
            f"It has {processes} processes for 2 clients. One is enough, if it waits for all of them at once."
        )


# --- clients of ours --------------------------------------------------------------------------------


def _served(answer, function):
    server = answer.call(function, DOOR)
    return server, _another(answer, server)


def _another(answer, server):
    return sockets.call(answer, server, DOOR, socket.SOCK_SEQPACKET)


def _hears(answer, running, client, expected, when):
    """The next message to this client; fails when it is another, or when none can be hoped for."""
    answer.wait(lambda: client.ready() or running.ended or running.rests(), every=0.001)
    answer.wait_quiet(client.ready, seconds=1)
    if not client.ready():
        running.check()
        blocked = answer.scene().process(running.pid).blocked
        call = blocked and blocked.call
        fail(
            f"{when} nothing came back: `{running.name}` "
            + (f"sleeps in `{call}`." if call else "does something else.")
        )
    heard = client.read_some()
    if heard == b"" and expected:
        answer.wait_quiet(lambda: running.ended, seconds=1)
        running.check()
        fail(f"{when} the conversation was over: the other side has closed its socket.")
    if heard != expected:
        fail(f"{when} {_word(heard[:20])} came back instead of {expected!r}.")


def _stop(server, client):
    client.write(b"STOP")
    answer = server.answer
    answer.wait(lambda: server.ended or server.rests(), every=0.001)
    answer.wait_quiet(lambda: server.ended, seconds=1)
    if not server.ended:
        fail(f"A client said STOP, and `{server.name}` went on.")
    server.result()
    if client.read_some() != b"":
        fail("A client said STOP, and was answered.")
