"""Programs under a hand: they stand still until told, and go only as far as told."""

from __future__ import annotations

import pytest
from stage import c, python

from labkit.camera.stepping import Order, Standing, parse, record_by_hand
from labkit.errors import LabError
from labkit.film import Film
from labkit.programs import Command


def by_hand(program: Command, *lines: str) -> tuple[Film, list[Standing]]:
    """Give these orders one after another, then end."""
    orders, seen = list(lines), []

    def ask(standing: Standing) -> Order:
        seen.append(standing)
        return parse(orders.pop(0) if orders else "quit")

    return record_by_hand([program], ask), seen


def test_nothing_happens_before_the_first_step():
    film, seen = by_hand(c("semaphores", "crossed"))
    assert film.frames == ()
    assert seen[0].could_go == {"parent": "semget(IPC_PRIVATE, 2, 0600)"}
    assert seen[0].scene.processes[0].name == "parent"


def test_a_step_is_one_call_and_shows_what_could_come_next():
    film, seen = by_hand(c("semaphores", "crossed"), "step", "", "block")
    assert film.text().splitlines()[:2] == [
        "parent: semget(IPC_PRIVATE, 2, 0600) = sem-1",
        "parent: semctl(sem-1, 0, SETVAL, 1) = 0",
    ]
    assert seen[1].could_go == {"parent": "semctl(sem-1, 0, SETVAL, 1)"}
    assert seen[3].could_go == {"child": "semop(sem-1, [0: -1])", "child 2": "semop(sem-1, [1: -1])"}
    assert seen[3].waiting == {"parent": "wait4(any child)"}


def test_the_race_is_made_to_happen():
    film, _ = by_hand(
        c("semaphores", "crossed"), "block", "step child", "step child 2", "block child", "block child 2"
    )
    assert film.scenes[-1].deadlocks
    assert "child 2: semop(sem-1, [0: -1]) … waits" in film.text()


def test_run_goes_to_the_end_and_output_is_kept():
    film, _ = by_hand(c("semaphores", "crossed"), "run")
    assert "".join(piece.text for piece in film.output) == "done\n"
    assert film.frames[-1].text == "parent: exits 0"


def test_who_cannot_go_does_not_go():
    film, seen = by_hand(c("semaphores", "crossed"), "step nobody", "step")
    assert seen[0].could_go == seen[1].could_go
    assert len(film.frames) == 1


def test_time_is_a_choice_too():
    film, seen = by_hand(python("import time\ntime.sleep(0.05)"), "step", "step")
    assert seen[1].could_go == {"parent": "its time is over"}
    assert film.frames[-1].text.endswith(") = 0")


def test_one_who_waits_by_looking_again_and_again_does_not_keep_the_others_from_a_step():
    source = (
        "import mmap, os\nmemory = mmap.mmap(-1, 9)\n"
        "if os.fork() == 0:\n    while not memory[0]: pass\n    os._exit(0)\n"
        "os.sched_yield()\nmemory[0] = 1\nos.sched_yield()\n"
    )
    film, seen = by_hand(python(source), "step", "step", "step parent", "step child", "run")
    assert seen[2].could_go == {"parent": "sched_yield()", "child": "computes, without a call"}
    assert film.exits[1].exit == 0


def test_words_that_are_no_orders_are_said():
    with pytest.raises(LabError, match="none of step, block, run, quit"):
        parse("jump")
