"""A judge that is an answer's client calls at the answer's door, and at no other."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from labkit.exercises import Course
from labkit.judge.asking import judge

COURSE = Course(Path(__file__).parents[1])

POINTS_ELSEWHERE = """
import os

def serve(path):
    os.symlink({elsewhere!r}, path)
    os.read(os.pipe()[0], 1)
"""

CALLS = """
import os, socket

def serve(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen(0)
    table, _ = door.accept()
    print(table.recv(100))
    raise RuntimeError("I was called")
"""


def test_a_link_to_somebody_elses_socket_is_not_followed(tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(elsewhere)
        door.listen()
        door.setblocking(False)
        report = judge(COURSE, "unix_sockets/serve", POINTS_ELSEWHERE.format(elsewhere=elsewhere))
        assert report.points == 0
        with pytest.raises(BlockingIOError):
            door.accept()


def test_a_door_in_the_answers_own_room_is_found() -> None:
    report = judge(COURSE, "unix_sockets/serve", CALLS)
    assert "RuntimeError" in report.results[0].seen
    assert "I was called" in report.results[0].picture
