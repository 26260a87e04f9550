"""Who is asleep, who could go, and what is left when all is over."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest
from stage import c, python, shell

from labkit.conductor import Conductor, TimeUp
from labkit.conductor.tasks import Image, Led, Made, Task, Witness
from labkit.errors import LabError
from labkit.explore.warm import Spawner
from labkit.kernel import ptrace
from labkit.programs import Command


def lead(conductor: Conductor, task: Task) -> None:
    """One call of one task."""
    conductor.approach(task)
    if task.state == "call":
        conductor.perform(task)


def lead_all(conductor: Conductor) -> None:
    while conductor.tasks:
        ready = conductor.ready()
        if not ready:
            timed = conductor.next_timed()
            assert timed is not None, [(t.who, t.state) for t in conductor.tasks.values()]
            conductor.fire(timed)
        else:
            lead(conductor, ready[0])


def test_a_reader_of_an_empty_pipe_is_asleep_and_woken_by_the_write():
    source = (
        "import os\nr, w = os.pipe()\n"
        "if os.fork() == 0: os.read(r, 1); os._exit(0)\n"
        "os.write(w, b'x')\nos.wait()\n"
    )
    with Conductor([python(source)]) as conductor:
        parent = conductor.ready()[0]
        while not (parent.state == "call" and parent.call and parent.call.name == "write"):
            if parent.state == "call":
                conductor.perform(parent)
            conductor.approach(parent)
        child = next(t for t in conductor.ready() if t is not parent)
        lead(conductor, child)
        assert (child.state, child.call.name) == ("asleep", "read")
        assert child not in conductor.ready()
        conductor.perform(parent)
        assert (child.state, child.call.result) == ("ready", 1)
        lead_all(conductor)


class Sleeper:
    """A witness who sees the same each time: a task that sleeps."""

    def asleep(self, uninterruptible: bool) -> bytes:
        return b"1"

    def for_others(self) -> bool:
        return True


@pytest.mark.parametrize(("seconds", "said"), [(0.0, False), (0.5, True), (None, True)])
def test_who_waits_for_no_time_at_all_is_not_asleep_though_seen_so_for_an_instant(seconds, said):
    made = Made("semtimedop", (0, 0, 1, 0), seconds=seconds)
    task = Task(1, Led(1, (0,), "one", Image()), state="running", call=made, witness=Sleeper())
    with Conductor([]) as conductor:
        assert not conductor._fell_asleep(task, True)
        assert conductor._fell_asleep(task, True) is said


@pytest.mark.parametrize("times", range(5))
def test_a_sleeper_is_never_taken_for_awake_nor_the_other_way_round(times):
    with Conductor([c("race", "3", "3", "sysv")]) as conductor:
        lead_all(conductor)
        assert conductor.outputs.text() == "9\n"
        assert all(p.status == 0 for p in conductor.processes)


def test_paths_and_names_say_who_made_whom():
    with Conductor([shell("(true; (true; true); true); true")]) as conductor:
        lead_all(conductor)
        named = {p.name: p.path for p in conductor.processes}
    assert named == {"parent": (0,), "child": (0, 1), "child 2": (0, 1, 1)}


def test_one_processor_and_back():
    before = os.sched_getaffinity(0)
    with Conductor([shell("true")]) as conductor:
        assert len(os.sched_getaffinity(0)) == 1
        lead_all(conductor)
    assert os.sched_getaffinity(0) == before
    assert signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_is_alive_at_the_end_is_ended():
    with Conductor([shell("sleep 100 & setsid sleep 100 & exec sleep 100")]) as conductor:
        until = time.monotonic() + 20
        while len(conductor.sleeping()) < 2:
            assert time.monotonic() < until
            lead(conductor, conductor.ready()[0])
    assert all(p.status is not None for p in conductor.processes)


def test_time_is_up_for_one_who_computes():
    with Conductor([python("while True: pass")], seconds=1.0) as conductor, pytest.raises(TimeUp):
        lead_all(conductor)


def test_another_may_go_on_while_one_computes():
    with Conductor([python("while True: pass"), shell("echo hello")], seconds=10.0) as conductor:
        busy, other = conductor.ready()
        conductor.patience = 0.1
        conductor.approach(busy)
        assert busy.state == "ready"
        while other.tid in conductor.tasks:
            lead(conductor, other)
        assert conductor.outputs.text() == "hello\n"


def test_output_comes_in_the_order_it_was_written():
    with Conductor([shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done")]) as conductor:
        lead_all(conductor)
        pieces = [(p.stream, p.data.decode().strip()) for p in conductor.outputs.pieces]
    assert pieces == [(stream, f"{stream[3:]} {i}") for i in (1, 2, 3) for stream in ("stdout", "stderr")]


def test_more_output_than_a_terminal_holds():
    with Conductor([python("import os\nos.write(1, b'x' * 300_000)")]) as conductor:
        lead_all(conductor)
        assert conductor.outputs.size == 300_000


def test_programs_get_what_they_are_to_read():
    with Conductor([shell("cat")], stdin="typed\n") as conductor:
        lead_all(conductor)
        assert conductor.outputs.text() == "typed\n"


def test_a_program_that_is_not_there_is_said():
    with pytest.raises(LabError, match="no program 'nowhere'"), Conductor([Command(("nowhere",))]):
        pass


def test_descriptors_are_given_back_also_of_those_who_execute(monkeypatch):
    stopped = Conductor._stopped

    def watched(self: Conductor, task: Task, number: int, event: int) -> None:
        self._witness(task)  # as where it is looked at whether it sleeps
        stopped(self, task, number, event)

    monkeypatch.setattr(Conductor, "_stopped", watched)
    counts = []
    for _ in range(4):
        with Conductor([shell("echo a | cat; sh -c 'exec true' & wait")]) as conductor:
            lead_all(conductor)
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts == [counts[0]] * 4


def test_one_who_has_ended_is_not_said_to_be_in_a_call():
    """Its files belong to root by then: an ordinary user may not open them."""
    looker = os.fork()
    if looker == 0:
        with contextlib.suppress(PermissionError):
            os.setresuid(65534, 65534, 65534)
        ended = os.fork()
        if ended == 0:
            os._exit(0)
        os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
        witness = Witness(ended, ended)
        right = witness.state() == "Z" and not witness._in_call() and witness.asleep() is None
        os.waitpid(ended, 0)
        os._exit(0 if right else 1)
    assert os.waitpid(looker, 0)[1] == 0


# --- interrupted at any moment -------------------------------------------------------------------------


def test_an_end_that_an_interrupt_kept_from_being_noted_is_not_waited_for():
    with Conductor([shell("sleep 100")]) as conductor:
        pid = conductor.processes[0].pid
        os.kill(pid, signal.SIGKILL)
        while os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
            ptrace.resume(pid)
        assert conductor.processes[0].alive, "nobody has told it"


def test_a_process_of_another_that_was_not_seized_yet_is_ended(monkeypatch):
    def interrupted(pid):
        raise KeyboardInterrupt

    command = Command(("/bin/sleep", "100"))
    spawner = Spawner(command)
    monkeypatch.setattr(ptrace, "seize", interrupted)
    conductor = Conductor([command], forks={0: spawner})
    with pytest.raises(KeyboardInterrupt):
        conductor.__enter__()
    spawner.close()
    assert not os.path.exists(f"/proc/{conductor.processes[0].pid}")


def test_a_program_that_does_not_begin_in_time_is_a_sentence(monkeypatch):
    def time_is_up(self, busy):
        raise TimeUp

    monkeypatch.setattr(Conductor, "_check_patience", time_is_up)
    monkeypatch.setattr(Conductor, "_take_event", lambda self: False)
    with pytest.raises(LabError, match="had not begun after 3 s"):
        Conductor([shell("true")], seconds=3.0).__enter__()
    interrupted = Conductor([shell("true")], seconds=3.0)
    interrupted.ends_at = 0.0  # as an interrupt makes it
    with pytest.raises(LabError, match="had not begun when it was interrupted"):
        interrupted.__enter__()


def test_who_was_woken_from_a_call_without_a_frame_stands_whenever_that_is_told():
    """Its stop may be told of at once, or only after a look has found it awake already."""

    def stands_after(look: bool) -> str:
        conductor = Conductor([shell("true")])
        process = Led(os.getpid(), (0,), "a", Image())
        call = Made("futex", (0, 128, 0, 0, 0, 0))  # private: no frame
        task = Task(os.getpid(), process, state="asleep", call=call, quiet=True, counter=b"long ago")
        if look:
            assert not conductor._still(task, everybody=False, at_once=True)
        conductor._done(task, call, 0)
        if task.witness is not None:
            task.witness.close()
        conductor.outputs.close()
        return task.state

    assert stands_after(look=False) == stands_after(look=True) == "ready"
