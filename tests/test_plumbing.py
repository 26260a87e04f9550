"""Which of a notebook's sockets are Jupyter's own, found out about this very process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from pathlib import Path

import pytest

from labkit.kernel import proc
from labkit.owner import notebook
from labkit.owner.plumbing import Plumbing


def links() -> dict[int, bytes]:
    """Every descriptor of this process."""
    found = {}
    for fd in proc.numbers_in(b"/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}").encode()
        except FileNotFoundError:  # the folder that was just read
            continue
    return found


def theirs(plumbing: Plumbing, *sockets: socket.socket) -> list[bool]:
    return [plumbing.has(s.fileno(), links()[s.fileno()]) for s in sockets]


def test_a_front_end_comes_through_a_door_that_was_open_before(tmp_path: Path) -> None:
    path = str(tmp_path / "door")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        plumbing = Plumbing(os.getpid(), links().values())
        with (
            socket.create_connection(tcp.getsockname()) as mine,
            tcp.accept()[0] as accepted,
            socket.socket(socket.AF_UNIX) as mine_too,
        ):
            mine_too.connect(path)
            with unix.accept()[0] as accepted_too:
                assert theirs(plumbing, accepted, accepted_too) == [True, True]
                assert theirs(plumbing, mine, mine_too) == [False, False]


def test_what_a_learner_accepts_is_the_learners(tmp_path: Path) -> None:
    plumbing = Plumbing(os.getpid(), links().values())
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        with socket.create_connection(tcp.getsockname()) as mine, tcp.accept()[0] as accepted:
            assert theirs(plumbing, tcp, mine, accepted) == [False, False, False]


def test_the_pair_that_wakes_an_event_loop_is_plumbing_and_a_learners_pair_is_not() -> None:
    before = links()
    plumbing = Plumbing(os.getpid(), before.values())
    loop = asyncio.new_event_loop()
    made = {fd: link for fd, link in links().items() if link not in before.values() and b"socket" in link}
    assert len(made) == 2
    assert [plumbing.has(fd, link) for fd, link in made.items()] == [True, True]
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        assert theirs(plumbing, one, other) == [False, False]
    loop.close()


def test_what_was_opened_just_now_is_in_a_still_and_not_yet_in_a_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be a pipe to `dot`, which draws a still, and would flash up and push all else down."""
    watched = notebook.Notebook(os.getpid())
    r, w = os.pipe()
    new = [fcntl.fcntl(fd, fcntl.F_DUPFD, 500) for fd in (r, w)]  # numbers that nobody has used before
    os.close(r)
    os.close(w)
    assert [watched.worth_showing(patient=True), watched.worth_showing()] == [False, True]
    assert not watched.worth_showing(patient=True)
    monkeypatch.setattr(notebook, "_YOUNG_S", 0.0)
    assert watched.worth_showing(patient=True)
    for fd in new:
        os.close(fd)
    assert not watched.worth_showing(patient=True)
