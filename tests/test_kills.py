"""Whichever process is killed, at whatever moment, nothing of a notebook's programs is left.

What is left is counted by `leaks.py` after each test. `make soak` does hundreds of rounds.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from front_end import FrontEnd

from labkit import room

SOAK = os.environ.get("LABKIT_SOAK") == "1"
ROUNDS = int(os.environ.get("LABKIT_ROUNDS", "100" if SOAK else "6"))
pytestmark = [pytest.mark.soak] if SOAK else []
HERE = Path(__file__).parent
PATIENCE_S = 60


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place for a socket of the nasty program's own; it must be empty in the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("NASTY_FOLDER", folder)
        yield folder
        assert os.listdir(folder) == []


def notebook(how: str, delay: float, in_room: bool) -> subprocess.CompletedProcess[str]:
    """Run a notebook-like process to its end, and wait until all that held its output has ended."""
    argv = [sys.executable, str(HERE / "notebook_like.py"), how, str(delay)]
    without = ("LABKIT_", "NASTY_") if in_room else ("LABKIT_",)
    env = {k: v for k, v in os.environ.items() if not k.startswith(without)}
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        if in_room:
            argv = room.in_room(argv, private=[scratch])
            env["LABKIT_SCRATCH"] = scratch
        return subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=PATIENCE_S, start_new_session=True
        )


def _rooms() -> list[bool]:
    return [False] if room.why_no_room() else [False, True]


@pytest.mark.parametrize("in_room", _rooms(), ids=lambda found: "room" if found else "no-room")
@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("how", ["kill", "exit", "leave"])
def test_nothing_is_left_when_the_notebook_ends(folder: str, how: str, round: int, in_room: bool) -> None:
    delay = random.uniform(0, 0.4)
    done = notebook(how, delay, in_room)
    expected = {"kill": -signal.SIGKILL, "exit": 0, "leave": 0}[how]
    assert done.returncode in (expected, 128 - expected), (delay, done.stderr)
    assert "Traceback" not in done.stderr, delay


def test_nothing_is_left_when_a_program_has_stopped_the_owner(folder: str) -> None:
    assert notebook("stopped", 0.3, False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("in_room", _rooms(), ids=lambda found: "room" if found else "no-room")
@pytest.mark.parametrize("round", range(ROUNDS))
def test_nothing_is_left_when_the_owner_is_killed_and_the_next_program_runs(
    folder: str, round: int, in_room: bool
) -> None:
    delay = random.uniform(0, 0.4)
    done = notebook("owner", delay, in_room)
    assert (done.returncode, done.stdout) == (0, "status 5\n"), (delay, done.stderr)


@pytest.mark.parametrize("kernel", ["python3", "labkit"])
@pytest.mark.parametrize("round", range(max(ROUNDS // 4, 1)))
@pytest.mark.parametrize("victim", ["kernel", "restart", "shutdown"])
def test_nothing_is_left_of_a_real_kernel(
    folder: str, monkeypatch: pytest.MonkeyPatch, kernel: str, round: int, victim: str
) -> None:
    nasty = (HERE / "nasty.py").read_text(encoding="utf-8")
    if kernel == "labkit":
        monkeypatch.delenv("NASTY_FOLDER")
    with FrontEnd(kernel) as front_end:
        front_end.run("%load_ext labkit")
        front_end.send(f"%%program &\n{nasty}")
        cell = front_end.send("import threading; threading.Event().wait(100)", "two")
        front_end.until(lambda: cell in front_end.busy)
        for _ in range(random.randrange(5)):
            front_end.take()
        if victim == "kernel":
            front_end.manager.provisioner.process.kill()  # type: ignore[union-attr]
        elif victim == "restart":
            front_end.manager.restart_kernel(now=True)
