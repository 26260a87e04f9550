"""`labkit film` as a person types it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest
from stage import c

from labkit.camera.interrupts import Interrupts
from labkit.cli import film, main
from labkit.errors import LabError


def labkit(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def ids(kind: str) -> set[str]:
    """What there is of it on this machine, as ipcs says."""
    said = subprocess.run(["ipcs", kind], capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith("0x")}


def test_frames_output_and_leftovers_are_printed():
    done = labkit("film", "--", "sh", "-c", "echo hello | cat")
    assert done.returncode == 0
    assert 'child: write(1, "hello\\n", 6) = 6' in done.stdout
    assert "Output:\n  hello\n" in done.stdout
    assert done.stderr == ""


def test_several_programs_and_a_file(tmp_path):
    file = tmp_path / "film.json"
    done = labkit("film", "-o", str(file), "--", "sh", "-c", "echo a", "--and", "sh", "-c", "echo b")
    assert done.returncode == 0
    film = json.loads(file.read_text())
    assert [p["name"] for p in film["programs"]] == ["sh", "sh 2"]
    assert [o["text"] for o in film["output"]] == ["a\n", "b\n"]


def test_a_deadlock_is_status_1():
    done = labkit("film", "--turns", "parent*5,child,child 2", "--", *c("semaphores", "crossed").argv)
    assert done.returncode == 1
    assert "`child` waits in semop" in done.stdout


def test_an_interrupted_film_is_what_there_was_and_nothing_is_left(tmp_path):
    made = f"mkfifo {tmp_path}/fifo; ipcmk -M 64; ipcmk -Q; sleep 1000 & exec sleep 1000"
    saved = str(tmp_path / "film.json")
    command = [sys.executable, "-m", "labkit", "film", "-o", saved, "--", "sh", "-c", made]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        sleeping = (line for line in recorder.stdout if "1000 s) … waits" in line)
        next(sleeping), next(sleeping)
        recorder.send_signal(signal.SIGINT)
        assert "(the end: It was interrupted (SIGINT).)" in recorder.stdout.read()
    assert recorder.returncode == 130
    said = "".join(o["text"] for o in json.loads((tmp_path / "film.json").read_text())["output"])
    kind_and_id = re.findall(r"(memory|queue) id: (\d+)", said)  # as ipcmk says it
    assert [kind for kind, _ in kind_and_id] == ["memory", "queue"]
    assert not [id for kind, id in kind_and_id if id in ids({"memory": "-m", "queue": "-q"}[kind])]
    assert not (tmp_path / "fifo").exists()


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_what_is_ignored_ends_no_recording(ignored):
    interrupts = Interrupts(SimpleNamespace(ends_at=None))
    former = signal.signal(ignored, signal.SIG_IGN)
    try:
        with interrupts.taken():
            os.kill(os.getpid(), ignored)
            assert interrupts.number is None
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts.number == signal.SIGTERM
        assert signal.getsignal(ignored) == signal.SIG_IGN
    finally:
        signal.signal(ignored, former)


def test_where_nobody_may_write_a_film_can_be_seen_all_the_same(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    how = {"timeout": 1, "frames": 1, "slow": 0}
    film._check(Namespace(file=None, **how))
    with pytest.raises(LabError, match=r"could not be written to a\.json"):
        film._check(Namespace(file="a.json", **how))


def test_wrong_usage_is_status_2_and_one_line(capsys):
    for options in (
        *("", "--", "--turns x*y -- true", "--turns a*0 -- true", "-- nowhere", "-o a.txt -- true"),
        *("-o /nowhere/a.json -- true", "--timeout 0 -- true", "--timeout nan -- true", "--slow -1 -- true"),
        *("--frames x -- true", "--bogus -- true", "-- true --and"),
    ):
        try:
            status = main(["film", *options.split()])
        except SystemExit as ending:
            status = ending.code
        said = capsys.readouterr()
        assert (status, said.out, said.err.count("\n")) == (2, "", 1), options
