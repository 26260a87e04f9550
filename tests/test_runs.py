"""Counters of runs: who slept did not run, who woke did, whoever ended or came is no longer the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from labkit.kernel import proc
from labkit.owner.runs import Runs

ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print(line, flush=True)"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Sleeps in a read, and answers each line."""
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        wait_asleep(process.pid)
        yield process
        process.kill()


def wait_asleep(pid: int) -> None:
    while proc.read_stat(pid).state != "S":
        os.sched_yield()


def test_who_sleeps_has_not_run_and_who_was_woken_has(sleeper: subprocess.Popen[bytes]) -> None:
    runs = Runs()
    runs.watch([(sleeper.pid, sleeper.pid)])
    assert runs.since_mark(), "it was never asked about"
    runs.mark()
    assert not runs.since_mark()
    assert sleeper.stdin is not None
    assert sleeper.stdout is not None
    sleeper.stdin.write(b"x\n")
    sleeper.stdin.flush()
    assert sleeper.stdout.readline() == b"x\n"
    assert runs.since_mark()


def test_who_ended_and_who_is_new_count_as_having_run(sleeper: subprocess.Popen[bytes]) -> None:
    runs = Runs()
    runs.watch([(sleeper.pid, sleeper.pid)])
    runs.mark()
    runs.watch([(sleeper.pid, sleeper.pid), (os.getpid(), os.getpid())])
    assert runs.since_mark()
    runs.watch([(sleeper.pid, sleeper.pid)])
    runs.mark()
    os.kill(sleeper.pid, signal.SIGKILL)
    sleeper.wait()
    assert runs.since_mark()
