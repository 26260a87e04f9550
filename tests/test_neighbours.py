"""Who takes more than one's share is stopped; whoever is judged at the same time keeps all points."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest
from sandboxes import ordinary_user

from labkit import notebooks
from labkit.exercises import Failed
from labkit.judge import watch
from labkit.judge.watch import Poor, Watch

COURSE = Path(__file__).parents[1]
MASTER = notebooks.answers(notebooks.read(COURSE / "solutions" / "04_pipes.ipynb"))
EXERCISE = "pipes/write_all"
HOG = """
import os, time
def write_all(fd, data):
    for n in range(40):
        if os.fork() == 0:
            kept = []
            try:
                while True: kept.append(os.pipe())
            except OSError: time.sleep(60)
    time.sleep(60)
"""


def hand_in(folder: Path, learner: str, text: str) -> None:
    (folder / learner).mkdir(parents=True)
    source = f"%%exercise {EXERCISE}{text}"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    (folder / learner / "work.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))


@pytest.mark.timeout(300)
def test_who_takes_all_pipes_of_a_user_takes_nobodys_points(tmp_path: Path) -> None:
    """An ordinary user's rooms all count as that user's, and there are 1,024 pipes for one."""
    home = tmp_path / "home"
    home.mkdir()
    for number in range(3):
        hand_in(home / "in", f"{number} hog", HOG)
        hand_in(home / "in", f"{number} honest", MASTER[EXERCISE].text)
    python, user = ordinary_user(home)
    argv = [python, "-m", "labkit", "grade", str(home / "in"), "-o", str(home / "out"), "--jobs", "2"]
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=COURSE, **user)
    if ran.returncode == 2 and "no sandbox" in ran.stderr:
        pytest.skip(ran.stderr)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with open(home / "out" / "gradebook.csv", newline="") as file:
        found = {r["learner"]: r for r in csv.DictReader(file) if r["exercise"] == EXERCISE}
    points = {who: row["points"] if "hog" in who else row["status"] for who, row in found.items()}
    assert points == {f"{n} hog": "0" for n in range(3)} | {f"{n} honest": "solved" for n in range(3)}
    assert "more than 60 pipes" in (home / "out" / "reports" / "0 hog.html").read_text()


def test_who_is_there_when_memory_ends_is_judged_again_and_who_took_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "_left", lambda: 1.0)
    innocent, segments = Watch("/nowhere", lambda: 0), Watch("/nowhere", lambda: 1 << 30)
    monkeypatch.setattr(watch, "_left", lambda: 0.01)
    with pytest.raises(Poor):
        innocent.look(list, at_once=True)
    with pytest.raises(Failed) as caught:
        segments.look(list, at_once=True)
    assert not isinstance(caught.value, Poor)
    fd = os.memfd_create("much")
    try:
        os.posix_fallocate(fd, 0, 140 << 20)
        with pytest.raises(Failed) as caught:
            innocent.look(lambda: [os.getpid()], at_once=True)
        assert not isinstance(caught.value, Poor)
    finally:
        os.close(fd)
