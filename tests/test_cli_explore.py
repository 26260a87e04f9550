"""`labkit explore` as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from stage import c
from test_cli_film import labkit

from labkit.film import Film


def test_outcomes_are_printed():
    done = labkit("explore", "--exhaustive", "--", *c("race", "2", "1").argv)
    assert done.returncode == 0
    assert "all there are." in done.stdout
    assert "| 1" in done.stdout
    assert "| 2" in done.stdout


def test_json_has_what_the_contract_says_and_a_deadlock_is_status_1():
    done = labkit("explore", "--json", "--", *c("semaphores", "crossed").argv)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["complete"] is True
    assert found["schedules"] == sum(outcome["count"] for outcome in found["outcomes"])
    for outcome in found["outcomes"]:
        assert {"output", "exits", "deadlock", "left_behind", "count", "schedule"} <= outcome.keys()


def test_a_bound_is_said():
    done = labkit("explore", "--max", "3", "--", *c("race", "2", "2").argv)
    assert "3 orders, not all there are." in done.stdout


def test_an_outcome_is_filmed(tmp_path):
    file = str(tmp_path / "deadlock.json.gz")
    done = labkit("explore", "--outcome", "2", "-o", file, "--", *c("semaphores", "crossed").argv)
    assert done.returncode == 1
    assert Film.load(file).scenes[-1].deadlocks


def test_what_programs_made_goes_when_the_search_is_ended(tmp_path):
    fifo = tmp_path / "fifo"
    command = ["sh", "-c", f"mkfifo {fifo}; while :; do :; done"]
    with subprocess.Popen([sys.executable, "-m", "labkit", "explore", "--", *command]) as search:
        while not fifo.exists():
            time.sleep(0.01)
        search.terminate()
    assert search.returncode == 128 + signal.SIGTERM
    assert not fifo.exists()


def test_wrong_usage_is_status_2_and_one_line():
    for words in (["explore"], ["explore", "--max", "0", "--", "true"], ["explore", "--", "nowhere"]):
        done = labkit(*words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
