"""`labkit enter` puts a terminal into a notebook's room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sandboxes

from labkit import room
from labkit.cli import enter
from labkit.errors import LabError

needs_room = pytest.mark.skipif(room.why_no_room() is not None, reason=f"no room here: {room.why_no_room()}")

# What a kernel is, as far as entering goes: it makes a file and a segment, says so, and waits.
NOTEBOOK = """
import ctypes, sys
assert ctypes.CDLL(None).shmget(77, 4096, 0o1600) >= 0
open("/dev/shm/counter", "w").close()
print("open", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def notebook(name: str, python: str, options: dict[str, Any]) -> Iterator[None]:
    """A room that stays open meanwhile."""
    environment = {**options.get("env", os.environ), "JPY_SESSION_NAME": name, "LABKIT_SCOPE": f"of-{name}"}
    program = subprocess.Popen(
        room.in_room([python, "-c", NOTEBOOK]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **{**options, "env": environment},
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        yield


def labkit_enter(python: str, options: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"env": {**os.environ, "SHELL": "/bin/sh"}} | options
    command = [python, "-m", "labkit", "enter", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **environment)


@needs_room
@pytest.mark.parametrize("user", ["as we are", "ordinary user"])
def test_a_terminal_in_a_room_sees_what_the_notebook_sees(user: str, tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path) if user == "ordinary user" else (sys.executable, {})
    look = "ls /dev/shm; grep -c . /proc/sysvipc/shm; ps -o pid= -p 2; echo $LABKIT_SCOPE; exit 5"
    with notebook("04_pipes.ipynb", python, options):
        run = labkit_enter(python, options, "-c", look)
    assert run.stderr == ""
    assert run.stdout.split() == ["counter", "2", "2", "of-04_pipes.ipynb"]
    assert run.returncode == 5


@needs_room
def test_of_several_rooms_one_is_chosen_by_name_or_number() -> None:
    with notebook("04_pipes.ipynb", sys.executable, {}), notebook("07_shm.ipynb", sys.executable, {}):
        for word, scope in {"07": "of-07_shm.ipynb", "pipes": "of-04_pipes.ipynb"}.items():
            assert labkit_enter(sys.executable, {}, word, "-c", "echo $LABKIT_SCOPE").stdout == f"{scope}\n"
        refused = labkit_enter(sys.executable, {}, "-c", "true")
        assert refused.returncode == 2
        assert refused.stderr.startswith("labkit enter: which room? `labkit enter 1` is ")
        assert refused.stderr.count("\n") == 1
        for number, one in enumerate(room.open_rooms(), 1):
            assert f"`labkit enter {number}` is {one.notebook}" in refused.stderr
            said = labkit_enter(sys.executable, {}, str(number), "-c", "echo $LABKIT_SCOPE").stdout
            assert said == f"of-{one.notebook}\n"


def test_without_a_room_there_is_a_sentence() -> None:
    with pytest.raises(LabError, match=r"^no notebook of yours has a room now: "):
        enter.choose((), None)


@needs_room
def test_inside_a_room_there_is_none_to_enter() -> None:
    run = subprocess.run(
        room.in_room([sys.executable, "-m", "labkit", "enter"]), capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "labkit enter: this terminal is in a notebook's room already.\n"
