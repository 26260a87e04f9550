"""`labkit film` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys

from stage import c


def labkit(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


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


def test_wrong_usage_is_status_2_and_one_line():
    for options in ("", "--", "--turns x*y -- true", "-- nowhere", "-o a.txt -- true", "--timeout 0 -- true"):
        words = ["film", *options.split()]
        done = labkit(*words)
        assert done.returncode == 2, words
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr
