"""Known answers: what comes out of small programs over every order, counted by hand or by mathematics."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from math import comb
from pathlib import Path
from types import SimpleNamespace

import pytest
import sysv_ipc
from stage import c, explored, outputs, python, shell

import labkit
from labkit.camera import replay
from labkit.exploration import Exploration
from labkit.explore import Options as Bounds
from labkit.explore import explore
from labkit.explore.workers import Worker
from labkit.kernel.private import can_be_separate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made"


@pytest.mark.parametrize("program", [c("race", "2", "2", "before"), c("shmrace")], ids=["mmap", "System V"])
def test_two_by_two_unguarded_increments_have_70_schedules(program):
    found = explored(program, exhaustive=True)
    assert found.schedules == comb(8, 4) == 70
    assert found.complete
    assert outputs(found) == {"2": 32, "3": 32, "4": 6}


def test_a_switch_only_between_load_and_store_gives_the_same_outcomes():
    for exhaustive in (True, False):
        found = explored(c("race", "2", "2"), exhaustive=exhaustive)
        assert found.complete
        assert set(outputs(found)) == {"2", "3", "4"}


def test_three_processes_with_one_increment_each():
    found = explored(c("race", "3", "1"))
    assert found.complete
    assert set(outputs(found)) == {"1", "2", "3"}


@pytest.mark.parametrize("guard", ["sysv", "posix", "flock"])
@pytest.mark.parametrize("exhaustive", [False, True])
def test_a_guarded_counter_has_one_outcome(guard, exhaustive):
    found = explored(c("race", "2", "2", guard), exhaustive=exhaustive)
    assert found.complete
    assert set(outputs(found)) == {"4"}


def test_calls_that_would_only_wait_are_left_out_and_nothing_else():
    short, long = (explored(c("race", "2", "2", "sysv"), exhaustive=e) for e in (False, True))
    assert short.schedules == comb(4, 2)
    assert long.schedules > short.schedules


@pytest.mark.parametrize("exhaustive", [False, True])
def test_crossed_semaphores_are_found_to_deadlock(exhaustive):
    found = explored(c("semaphores", "crossed"), exhaustive=exhaustive)
    assert found.complete
    assert set(outputs(found)) == {"done", "deadlock"}
    sentence = next(o.deadlock for o in found.outcomes if o.deadlock)
    assert "`child` waits in semop" in sentence
    assert "`child 2` waits in semop" in sentence


def test_schedules_leave_no_descriptors_open():
    explored(c("semaphores", "crossed"), jobs=1)
    before = len(os.listdir("/proc/self/fd"))
    explored(c("semaphores", "crossed"), jobs=1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_three_philosophers_deadlock_one_by_one_and_not_together():
    assert set(outputs(explored(c("semaphores", "philosophers", "3")))) == {"done", "deadlock"}
    together = explored(c("semaphores", "together", "3"))
    assert together.complete
    assert set(outputs(together)) == {"done"}


def test_a_semaphore_made_and_then_initialized_can_be_found_uninitialized(path):
    found = explored(c("initialize", str(path.parent)))
    assert set(outputs(found)) == {"the other finds 0", "the other finds 1"}


@pytest.mark.parametrize("how", [(), ("fcntl",)], ids=["dup", "fcntl"])
def test_threads_have_one_table_and_each_call_that_changes_it_is_a_point(how):
    assert set(outputs(explored(c("table", *how)))) == {"0 1 2", "1 2 0", "0 2 1"}


@pytest.mark.parametrize("how", ["opens", "asks", "stats"])
def test_two_creators_who_look_first_are_both_first(path, how):
    program = c("first", str(path), how)
    found = explored(program)
    assert set(outputs(found)) == {"first", "first\nfirst"}
    for outcome in found.outcomes:
        assert "".join(piece.text for piece in replay([program], found, outcome).output) == outcome.output
    assert not path.exists()


def test_of_two_creators_with_o_excl_one_is_first(path):
    assert set(outputs(explored(c("first", str(path), "exclusive")))) == {"first"}
    assert not path.exists()


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("marked", [(), ("unmarked",)], ids=["marked", "unmarked"])
def test_a_wakeup_between_looking_and_pausing_is_lost(marked, exhaustive):
    found = explored(c("wakeup", *marked), exhaustive=exhaustive)
    assert found.complete
    assert set(outputs(found)) == {"told", "deadlock"}
    assert "pause" in next(o.deadlock for o in found.outcomes if o.deadlock)
    assert set(outputs(explored(c("wakeup", "safe"), exhaustive=exhaustive))) == {"told"}


@pytest.mark.parametrize(
    ("wait", "comes"),
    [
        ("os.read(r, 1)", {"handled", "deadlock"}),
        ("semaphore.acquire()", {"handled", "deadlock"}),
    ],
    ids=["read", "semop"],
)
def test_a_signal_may_come_before_a_call_and_in_it(wait, comes):
    """Python notes a signal, and runs its handler when the call is over. Just before the call is too late."""
    found = explored(
        python(
            "import os, signal, sysv_ipc, time\n"
            "r, w = os.pipe()\n"
            "semaphore = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX)\n"
            "def handler(*_): semaphore.remove(); os.write(1, b'handled'); os._exit(0)\n"
            "signal.signal(signal.SIGUSR1, handler)\n"
            "parent = os.getpid()\n"
            "if os.fork() == 0: os.kill(parent, signal.SIGUSR1); os._exit(0)\n"
            f"{wait}\n"
        ),
        seconds=20.0,
    )
    assert set(outputs(found)) == comes


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGSTOP"])
def test_a_signal_may_end_or_stop_one_before_a_call_that_does_not_wait(number, exhaustive):
    program = python(
        "import os, select, signal\n"
        "r, w = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0: os.write(w, b'x'); os._exit(0)\n"
        f"os.kill(child, signal.{number})\n"
        "how = os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_status\n"
        "print(how, len(select.select([r], [], [], 0)[0]))\n"
        "os.kill(child, signal.SIGKILL)\n"
    )
    found = explored(program, exhaustive=exhaustive)
    number = getattr(signal, number)
    assert found.complete
    assert set(outputs(found)) == {f"{number:d} 0", f"{number:d} 1", "0 1"}


@pytest.mark.parametrize("exhaustive", [False, True])
def test_a_signal_may_come_before_there_is_a_handler(exhaustive):
    program = python(
        "import os, signal\n"
        "child = os.fork()\n"
        "if child == 0: signal.signal(signal.SIGUSR1, lambda *_: os._exit(7)); signal.pause()\n"
        "os.kill(child, signal.SIGUSR1)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    found = explored(program, exhaustive=exhaustive)
    assert found.complete
    assert set(outputs(found)) == {"7", "-10", "deadlock"}  # the last: in Python, just before it pauses


@pytest.mark.parametrize("sets", ["", "resource.setrlimit(number, (50, most)); "])
def test_that_anothers_limits_are_set_is_a_point(sets):
    program = python(
        "import os, resource\n"
        "number = resource.RLIMIT_NOFILE\nmost = resource.getrlimit(number)[1]\n"
        "resource.setrlimit(number, (60, most))\n"
        "child = os.fork()\n"
        f"if child == 0: {sets}os.sched_yield(); print(resource.getrlimit(number)[0]); os._exit(0)\n"
        "resource.prlimit(child, number, (40, most))\n"
        "os.wait()\n"
    )
    found = explored(program)
    assert found.complete
    assert set(outputs(found)) == {"40", "50" if sets else "60"}


def test_python_has_the_same_race():
    found = explored(
        python(
            "import mmap, os\n"
            "memory = mmap.mmap(-1, 4096)\n"
            "child = os.fork()\n"
            "value = memory[0]\n"
            "os.sched_yield()\n"
            "memory[0] = value + 1\n"
            "if child == 0: os._exit(0)\n"
            "os.wait()\n"
            "print(memory[0])\n"
        )
    )
    assert found.complete
    assert set(outputs(found)) == {"1", "2"}


def test_a_childs_output_can_come_before_and_after_its_parents():
    program = (
        "import os\n"
        "if os.fork() == 0:\n"
        "    os.write(1, b'child '); os._exit(0)\n"
        "os.write(1, b'parent ')\n"
        "os.wait()\n"
    )
    assert set(outputs(explored(python(program)))) == {"child parent", "parent child"}


def test_whether_a_child_has_ended_yet_depends_on_the_order():
    program = "import os\nif os.fork() == 0: os._exit(0)\nprint(os.waitpid(-1, os.WNOHANG)[0] > 0)\n"
    assert set(outputs(explored(python(program)))) == {"True", "False"}


def test_unrelated_programs_that_meet_in_a_fifo(path):
    os.mkfifo(path)
    found = explored(
        python(f"open({str(path)!r}, 'w').write('hello')"), python(f"print(open({str(path)!r}).read())")
    )
    assert found.complete
    assert set(outputs(found)) == {"hello"}
    path.unlink()


def test_every_outcome_can_be_played_again():
    program = c("semaphores", "crossed")
    found = explored(program)
    for outcome in found.outcomes:
        film = replay([program], found, outcome)
        assert "".join(piece.text for piece in film.output) == outcome.output
        assert {e.who: e.exit for e in film.exits} == outcome.exits
        assert bool(film.scenes[-1].deadlocks) == bool(outcome.deadlock)


def test_the_search_is_the_same_with_one_worker_and_with_two():
    one, two = (explored(c("race", "2", "1"), jobs=jobs) for jobs in (1, 2))
    assert (one.schedules, outputs(one)) == (two.schedules, outputs(two))


def test_runs_that_meet_by_keys_and_names_go_at_the_same_time_and_do_not_meet(monkeypatch):
    program = python(
        "import os, posix_ipc, sysv_ipc\n"
        "shared = sysv_ipc.SharedMemory(0x6c61626c, sysv_ipc.IPC_CREX, size=1)\n"
        "named = posix_ipc.SharedMemory('/labkit-apart', posix_ipc.O_CREX, size=1)\n"
        "queue = posix_ipc.MessageQueue('/labkit-apart', posix_ipc.O_CREX)\n"
        "child = os.fork()\n"
        "value = shared.read(1)[0] % 32; os.sched_yield(); shared.write(bytes([value + 1]))\n"
        "if child == 0: os._exit(0)\n"
        "os.wait(); print(shared.read(1)[0])\n"
        "shared.detach(); shared.remove(); named.unlink(); queue.unlink()\n"
    )
    used = []
    worker = Worker.__init__
    monkeypatch.setattr(
        Worker, "__init__", lambda self, *rest: (used.append(rest[2]), worker(self, *rest))[1]
    )
    one, two = (explored(program, jobs=jobs, exhaustive=True) for jobs in (1, 2))
    assert (one.schedules, outputs(one)) == (two.schedules, outputs(two))
    assert set(outputs(two)) == {"1", "2"}
    assert used == [True, True] if can_be_separate() else used == []


def test_what_was_there_before_is_there_in_every_run(monkeypatch):
    used = []
    worker = Worker.__init__
    monkeypatch.setattr(
        Worker, "__init__", lambda self, *rest: (used.append(rest[2]), worker(self, *rest))[1]
    )
    queue = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX)
    assert queue.key
    try:
        found = explored(
            python(
                "import os, sysv_ipc\n"
                f"queue = sysv_ipc.MessageQueue({queue.key}, 0)\n"
                "if os.fork() == 0: os.sched_yield(); os._exit(0)\n"
                "os.sched_yield(); os.wait(); print(queue.key)\n"
            ),
            jobs=2,
        )
        assert set(outputs(found)) == {str(queue.key)}
        assert used == []
    finally:
        queue.remove()


def test_a_bound_is_kept_and_said():
    found = explored(c("race", "2", "2"), most=5)
    assert found.schedules == 5
    assert not found.complete
    assert [limit.because for limit in found.limits] == ["Stopped after 5, as asked."]


def test_one_may_look_at_what_was_found_so_far_and_stop():
    seen = []

    def look(found):
        seen.append((found.schedules, found.complete, sum(outcome.count for outcome in found.outcomes)))
        if found.schedules == 6:
            raise StopIteration

    with pytest.raises(StopIteration):
        explore([c("race", "2", "2")], Bounds(jobs=1, looks=(1, 4, 6, 8)), on_look=look)
    assert seen == [(1, False, 1), (4, False, 4), (6, False, 6)]


def test_an_endless_program_is_said_not_to_end():
    found = explored(shell("while :; do :; done"), seconds=1.0)
    assert not found.complete
    assert found.outcomes[0].ending == "still running after 1 s"
    assert found.wrong


def test_a_program_that_goes_by_the_clock_is_found_out():
    found = explored(python("import time\nprint(time.time_ns())\n"))
    assert not found.complete
    assert "not repeatable" in found.limits[0].because


def test_what_one_schedule_leaves_is_told_and_gone_before_the_next():
    program = python(
        "import sysv_ipc as s, os\n"
        "memory = s.SharedMemory(0x6c61626b, s.IPC_CREX, size=10)\n"
        "if os.fork() == 0: os.sched_yield(); os._exit(0)\n"
        "os.sched_yield(); os.wait()\n"
    )
    found = explored(program)
    assert found.schedules > 1
    assert [o.left_behind for o in found.outcomes] == [["System V shared memory"]]
    assert all(status == 0 for o in found.outcomes for status in o.exits.values())
    assert "6c61626b" not in Path("/proc/sysvipc/shm").read_text()


def test_a_crash_is_an_outcome_of_its_own():
    found = explored(shell("kill -SEGV $$"))
    assert found.outcomes[0].crash == "parent"
    assert found.wrong


def test_an_exploration_survives_json():
    found = explored(c("semaphores", "crossed"))
    again = Exploration.from_dict(found.to_dict())
    assert again.to_dict() == found.to_dict()
    assert again.known == found.known


def test_a_warm_interpreter_and_a_fresh_one_give_the_same(monkeypatch, tmp_path):
    """Also where a module of the program's own has the name of one that is usually there already."""
    from labkit.explore import runner

    (tmp_path / "json.py").write_text("print('my own')")
    program = python(
        "import json, mmap, os, socket, sys, threading\n"
        "memory = mmap.mmap(-1, 4096)\n"
        "child = os.fork()\n"
        "value = memory[0]; os.sched_yield(); memory[0] = value + 1\n"
        "if child == 0: os._exit(0)\n"
        "os.wait(); print(memory[0], sys.argv, __name__, sys.stdin.read())\n"
    )
    program = replace(program, cwd=str(tmp_path))
    assert runner.can_be_warmed(program)
    warm = explored(program)
    monkeypatch.setattr(runner, "can_be_warmed", lambda command: False)
    fresh = explored(program)
    assert (fresh.schedules, outputs(fresh)) == (warm.schedules, outputs(warm))
    assert set(outputs(warm)) == {f"my own\n{n} ['program'] __main__" for n in (1, 2)}


def test_a_folder_that_may_not_be_read_holds_no_modules_of_the_programs_own(monkeypatch):
    from labkit.explore import zygote

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refused)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    zygote._import({"json"})


PIPES = {
    "two writers, one pipe": (
        "r, w = os.pipe()\n"
        "for word in (b'a', b'b'):\n"
        "    if os.fork() == 0: os.write(w, word); os._exit(0)\n"
        "os.wait(); os.wait()\n"
        "print(os.read(r, 9))\n"
    ),
    "two pipes that do not meet": (
        "pipes = [os.pipe(), os.pipe()]\n"
        "children = []\n"
        "for n, (r, w) in enumerate(pipes):\n"
        "    children.append(os.fork())\n"
        "    if children[-1] == 0: os.write(w, b'%d' % n); os._exit(0)\n"
        "for child in children: os.waitpid(child, 0)\n"
        "for r, w in pipes: print(os.read(r, 1))\n"
    ),
    "a file that both append to": (
        "path = tempfile.mkstemp()[1]\n"
        "fd = os.open(path, os.O_WRONLY | os.O_APPEND)\n"
        "if os.fork() == 0: os.write(fd, b'child '); os._exit(0)\n"
        "os.write(fd, b'parent ')\n"
        "os.wait(); print(open(path).read()); os.unlink(path)\n"
    ),
}


@pytest.mark.parametrize("name", PIPES)
def test_what_is_left_out_changes_no_outcome(name):
    program = python("import os, tempfile\n" + PIPES[name])
    short, brute = explored(program), explored(program, exhaustive=True)
    assert short.complete
    assert brute.complete
    assert set(outputs(short)) == set(outputs(brute))
    assert short.schedules <= brute.schedules


STEPS = {
    "a semaphore given back by an end": ("U0", "T0"),
    "a set removed while one waits for it": ("R0", "U1V0"),
    "a set removed behind another's": ("R1Z1", "R0U1"),
    "how many wait": ("P1", "N1V1"),
    "how many are attached": ("a0", "q0"),
    "two sets": ("P0V1", "P1V0"),
    "a pipe's last write end": ("w0", "r0r0"),
    "a pipe's last read end": ("E0", "w0"),
    "joined sockets": ("s0", "k0k0"),
    "joined sockets of messages": ("s1", "k1S1"),
    "messages": ("m0", "g0m1"),
    "a lock": ("f0l0u0", "f0t0"),
    "a ring of record locks": ("L0L1F1F0", "L1L0"),
}


@pytest.mark.parametrize("scripts", STEPS.values(), ids=STEPS)
def test_brute_force_finds_no_more_than_a_search_that_leaves_out(scripts):
    program = c("steps", *scripts)
    short, brute = explored(program), explored(program, exhaustive=True)
    assert short.complete
    assert brute.complete
    assert {o.key for o in short.outcomes} == {o.key for o in brute.outcomes}
    assert short.schedules <= brute.schedules


def test_steps_that_touch_different_things_are_tried_in_one_order():
    assert explored(c("steps", "V0V0", "V1V1")).schedules == 1
    assert explored(c("steps", "m0m0", "w0w0")).schedules == 1


LONG = {
    "time.sleep": "time.sleep(1000)",
    "poll": "assert select.poll().poll(10**6) == []",
    "epoll": "assert select.epoll().poll(1000) == []",
    "a lock": "lock = threading.Lock(); lock.acquire(); assert not lock.acquire(timeout=1000)",
    "a signal": "assert signal.sigtimedwait([signal.SIGUSR1], 1000) is None",
}


def test_what_goes_to_dev_null_could_go_at_any_time():
    talk = "[os.write(nowhere, b'a word') for _ in range(9)]"
    source = f"import os\nnowhere = os.open('/dev/null', 1)\nif os.fork() == 0: {talk}; os._exit(0)\n{talk}\n"
    found = explored(python(source), most=50)
    assert (found.schedules, found.complete) == (1, True)


@pytest.mark.parametrize("wait", LONG)
def test_who_sleeps_long_need_not_be_waited_for(wait):
    program = python(
        "import os, select, signal, threading, time\n"
        f"def wait(): {LONG[wait]}\n"
        "if os.fork() == 0:\n"
        "    wait(); wait(); os.write(1, b'late '); os._exit(0)\n"
        "wait(); os.write(1, b'early ')\n"
        "os.wait()\n"
    )
    found = explored(program, seconds=20.0)
    assert found.complete
    assert set(outputs(found)) == {"early late", "late early"}  # a parent may be slow in going to sleep
    assert all(status == 0 for o in found.outcomes for status in o.exits.values())


def test_a_signal_ends_a_long_sleep_and_a_sleeper_may_come_too_late():
    found = explored(
        python(
            "import os, signal, time\n"
            "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'woken ') and os._exit(0))\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    time.sleep(1000); os.write(1, b'slept '); os._exit(0)\n"
            "os.kill(child, signal.SIGUSR1)\n"
            "os.wait()\n"
        )
    )
    assert found.complete
    assert set(outputs(found)) == {"woken", "slept"}


def test_a_timer_comes_before_a_longer_sleep_ends_and_its_other_orders_are_said_to_be_missing():
    found = explored(
        python(
            "import os, signal, time\n"
            "signal.signal(signal.SIGALRM, lambda *_: os.write(1, b'timer '))\n"
            "if os.fork() == 0: time.sleep(0.15); os.write(1, b'slept '); os._exit(0)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.01)\n"
            "os.wait()\n"
        )
    )
    assert "timer slept" in outputs(found)
    assert not found.complete
    assert [limit.what for limit in found.limits] == ["timers"]


LOOKS_AT_CLOCK = {
    "a loop": "end = time.monotonic() + 0.2\nwhile time.monotonic() < end: time.sleep(0.01)\n",
    "Python's semaphore": "threading.Semaphore(0).acquire(timeout=0.2)\n",
}


@pytest.mark.parametrize("wait", LOOKS_AT_CLOCK)
def test_one_who_waits_for_a_clock_sees_it_go_on(wait):
    found = explored(python(f"import threading, time\n{LOOKS_AT_CLOCK[wait]}print('over')\n"))
    assert set(outputs(found)) == {"over"}


def test_a_traceback_is_the_programs_own():
    program = python("def f(): raise ValueError('mine')\nf()\n")
    (outcome,) = explored(program).outcomes
    assert "ValueError: mine" in outcome.output
    assert ".py" not in outcome.output.replace("cell [1]", "")
    assert outcome.output == "".join(
        piece.text for piece in replay([program], explored(program), outcome).output
    )


REACH = """
import os, sys
from labkit.explore.warm import Spawner, Warm
from labkit.programs import Command, python
for kind, command in ((Spawner, Command(("/bin/true",))), (Warm, python("pass"))):
    starter = kind(command)
    (go, _), null = os.pipe(), os.open("/dev/null", os.O_RDWR)
    born = starter.fork([go, null, null, null])
    for pid in (starter._process.pid, born):
        try:
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
            print("open")
        except PermissionError:
            print("closed")
    os.kill(born, 9)
    while os.path.exists(f"/proc/{born}"):
        pass
    starter.close()
"""


def test_a_worker_that_is_told_to_end_while_it_leaves_ends_what_it_has_started(monkeypatch):
    """Its pipe has ended, and SIGTERM comes before it can be ignored."""
    from labkit.explore import workers

    def too_late(number, action):
        if action == signal.SIG_IGN:
            raise SystemExit

    closed = []
    runner = SimpleNamespace(close=lambda: closed.append(True))
    ours, theirs = workers.Pipe()
    ours.close()
    monkeypatch.setattr(workers, "die_with_parent", lambda: None)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: None)
    monkeypatch.setattr(signal, "signal", too_late)
    with pytest.raises(SystemExit):
        workers._serve(runner, 0, theirs, os.getppid(), False)
    theirs.close()
    assert len(closed) == 2


def test_no_program_can_reach_into_what_starts_it():
    """It has the same user, and lives on from run to run."""
    argv, paths = [sys.executable], [str(Path(labkit.__file__).parent.parent)]
    if os.geteuid() == 0:  # root may reach into everything
        ids = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
        argv = ["setpriv", *ids, "/usr/bin/python3"]
        paths.append(str(Path(sysv_ipc.__file__).parent))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HOME": "/tmp"}
    env.pop("LABKIT_SCRATCH", None)
    said = subprocess.run([*argv, "-c", REACH], env=env, capture_output=True, text=True, check=False)
    assert said.stdout.split() == ["closed", "open"] * 2, said.stderr
