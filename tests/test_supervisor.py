"""One process owns every program of a notebook: what it starts, passes on, limits and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labkit import names
from labkit.errors import LabError
from labkit.kernel import proc, syscalls
from labkit.owner import limits, marks, output
from labkit.owner.family import Last
from labkit.owner.loop import Owner
from labkit.owner.watchdog import Watchdog
from labkit.programs import Command, c, python, shell
from labkit.supervisor import Program, Supervisor

PATIENCE_S = 20


class Said:
    """What a program wrote, by stream, and what was told of it."""

    def __init__(self) -> None:
        self.text = {1: b"", 2: b""}
        self.events: list[str] = []
        self.last: dict[str, dict[str, object]] = {}
        self.changed = threading.Condition()

    def output(self, program: Program, stream: int, data: bytes) -> None:
        with self.changed:
            self.text[stream] += data
            self.changed.notify_all()

    def event(self, program: Program, event: dict[str, object]) -> None:
        with self.changed:
            self.events.append(str(event["event"]))
            self.last[str(event["event"])] = event
            self.changed.notify_all()

    def until(self, condition: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), (self.text, self.events)

    @property
    def out(self) -> str:
        return self.text[1].decode()


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    import tempfile

    before = {name: os.environ.get(name) for name in (names.SCOPE, names.SCRATCH)}
    with tempfile.TemporaryDirectory() as folder:
        os.environ[names.SCOPE] = os.urandom(4).hex()
        os.environ[names.SCRATCH] = folder + "/scratch"
        yield Path(folder, "scratch")
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="module")
def supervisor(scratch: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.close()
    assert not scratch.exists()


Run = Callable[..., tuple[Program, Said]]


@pytest.fixture
def run(supervisor: Supervisor) -> Iterator[Run]:
    """Start a program that is ended after the test."""
    started = []

    def start(command: Command, **options: object) -> tuple[Program, Said]:
        said = Said()
        program = supervisor.start(command, on_output=said.output, on_event=said.event, **options)  # type: ignore[arg-type]
        started.append(program)
        return program, said

    yield start
    for program in started:
        program.kill()
        assert program.wait_gone(PATIENCE_S)


# --- running ----------------------------------------------------------------------------------------


def test_output_and_error_come_apart_and_the_status_is_the_programs(run: Run) -> None:
    program, said = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert program.wait(PATIENCE_S) == 3
    assert (said.text[1], said.text[2]) == (b"out\n", b"err\n")


def test_output_comes_while_the_program_runs(run: Run) -> None:
    program, said = run(c('#include <stdio.h>\n#include <unistd.h>\nint main() { puts("one"); pause(); }'))
    said.until(lambda: said.out == "one\n")
    assert program.status is None


def test_a_program_has_terminals_for_output_and_no_input(run: Run) -> None:
    program, said = run(python("import os; print(os.isatty(1), os.isatty(2), repr(os.read(0, 1)))"))
    assert (program.wait(PATIENCE_S), said.out) == (0, "True True b''\n")


def test_a_program_has_its_own_session_and_group_and_never_a_controlling_terminal(run: Run) -> None:
    source = (
        "import os\nsession, me = os.getsid(0), os.getpid()\n"
        f"print(session != os.getsid({os.getpid()}), os.path.exists(f'/proc/{{session}}'))\n"
        "print(os.getpgrp() == me)\nos.open(os.ttyname(0), os.O_RDWR)\nopen('/dev/tty')"
    )
    program, said = run(python(source), terminal=True)
    program.wait(PATIENCE_S)
    assert said.out == "True False\nTrue\n"
    assert b"No such device" in said.text[2]


def test_what_a_shell_leaves_in_the_background_goes_on_when_the_shell_ends(run: Run) -> None:
    program, said = run(shell("(sleep 0.2; echo late) & echo now"), terminal=True)
    assert (program.wait(PATIENCE_S), said.out) == (0, "now\nlate\n")


def test_text_given_as_input_is_read_to_its_end(run: Run) -> None:
    text = "first\n" + "x" * 200_000
    program, said = run(python("import sys; print(input()); print(len(sys.stdin.read()))"), stdin=text)
    assert (program.wait(PATIENCE_S), said.out) == (0, "first\n200000\n")


def test_what_is_typed_reaches_the_program_when_it_asks(run: Run) -> None:
    program, said = run(python("a = input(); b = input(); print(a + b)\nprint(len(input()))"), terminal=True)
    for answer in ("one\n", "two\n"):
        said.until(lambda: program.asking)
        program.type(answer)
    said.until(lambda: program.asking)
    program.type("", end=True)
    assert program.wait(PATIENCE_S) == 1
    assert said.out == "onetwo\n"
    assert b"EOFError" in said.text[2]


def test_signals_limits_and_descriptors_are_those_of_a_new_program(run: Run) -> None:
    program, said = run(
        shell("grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd | wc -l; ulimit -c")
    )
    program.wait(PATIENCE_S)
    none = "0" * 16
    assert said.out.split() == ["SigBlk:", none, "SigIgn:", none, "4", "0"]


def test_a_program_that_cannot_be_started_says_why(supervisor: Supervisor) -> None:
    command = replace(python("pass", name="ghost"), argv=("/nowhere/program",))
    with pytest.raises(LabError, match=r"ghost could not be started: /nowhere/program: No such file"):
        supervisor.start(command)


def test_programs_of_one_name_that_run_at_once_are_numbered(run: Run) -> None:
    command = shell("sleep 100", name="same")
    assert [run(command)[0].name for _ in range(3)] == ["same", "same 2", "same 3"]


def test_a_cell_ends_with_the_last_process_of_its_session(run: Run) -> None:
    source = "import os, time\nif os.fork() == 0:\n    time.sleep(0.3); print('child')\nelse: print('parent')"
    program, said = run(python(source))
    assert program.wait(PATIENCE_S) == 0
    assert said.out == "parent\nchild\n"


DAEMON = (
    "import os, time\n"
    "if os.fork(): os.wait(); os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "print('daemon', os.getpid(), flush=True)\n"
)


def test_a_daemon_goes_on_when_its_cell_has_ended_and_stop_ends_it(run: Run) -> None:
    program, said = run(python(DAEMON + "time.sleep(100)"))
    assert program.wait(PATIENCE_S) == 0
    assert (program.left, program.alive) == (1, True)
    said.until(lambda: said.out.endswith("\n"))
    program.stop()
    assert program.wait_gone(PATIENCE_S)
    assert not Path(f"/proc/{said.out.split()[1]}").exists()


# --- ending -----------------------------------------------------------------------------------------


def test_time_runs_out_and_the_picture_tells_who_waited(run: Run) -> None:
    source = "import os\nr, w = os.pipe()\nif os.fork() == 0: os.read(r, 1)\nelse: os.wait()"
    program, _ = run(python(source, name="stuck"), timeout=0.3)
    assert program.wait(PATIENCE_S) == -signal.SIGTERM
    assert program.why == "timeout"
    assert program.scene is not None
    assert {p.blocked.call for p in program.scene.processes if p.blocked} == {"wait4", "read"}
    assert program.scene.deadlocks


def test_a_program_that_ignores_sigterm_is_killed(run: Run) -> None:
    ignore = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    program, said = run(python(ignore + "print('on', flush=True)\nsignal.pause()"))
    said.until(lambda: said.out)
    program.stop()
    assert program.wait_gone(PATIENCE_S)
    assert program.status == -signal.SIGKILL


def test_interrupting_reaches_the_whole_group(run: Run) -> None:
    source = (
        "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "print('on', os.fork() and 1, flush=True)\n"
        "print('caught', signal.sigwait([signal.SIGINT]), flush=True)"
    )
    program, said = run(python(source))
    said.until(lambda: said.out.count("on") == 2)
    program.interrupt()
    assert program.wait(PATIENCE_S) == 0
    assert said.out.count("caught") == 2


def test_a_paused_program_stands_still_until_it_is_resumed(run: Run, supervisor: Supervisor) -> None:
    program, _ = run(shell("sleep 100; echo on"))
    program.pause()
    while {p.state for p in supervisor.scene().processes} != {"stopped"}:
        assert program.alive
    assert program.paused
    program.resume()
    while {p.state for p in supervisor.scene().processes} != {"sleeping"}:
        assert program.alive
    assert not program.paused


# --- limits -----------------------------------------------------------------------------------------

FORK_BOMB = "#include <unistd.h>\nint main() { for (;;) fork(); }"


def test_a_fork_bomb_is_ended_whole(run: Run) -> None:
    program, _ = run(c(FORK_BOMB, name="bomb"), timeout=60)
    assert program.wait_gone(20)
    assert (program.why, program.limit) == ("processes", str(limits.MOST_PROCESSES))


def test_a_bomb_that_took_every_pid_there_is_counts_as_births() -> None:
    before = Last(pid=962, tasks=150)
    assert Last(pid=962, tasks=155).born_since(before) == 0
    assert Last(pid=970, tasks=100).born_since(before) == 8
    assert Last(pid=962, tasks=1850).born_since(before) == 1700
    assert before.fewest(Last(pid=1, tasks=90)) == Last(pid=962, tasks=90)


SLEEPERS = f"""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main() {{
    sigset_t one;
    int n, i;
    sigemptyset(&one); sigaddset(&one, SIGUSR1); sigprocmask(SIG_BLOCK, &one, 0);
    puts("ready");
    sigwait(&one, &n);
    for (i = 0; i < {limits.MOST_PROCESSES + 50}; i++) if (fork() == 0) break;
    for (;;) pause();
}}"""


def test_an_owner_that_is_held_while_a_bomb_grows_is_freed(
    run: Run, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.supervisor.PATIENCE_S", 60)
    program, said = run(c(SLEEPERS))
    said.until(lambda: said.out)
    assert program.pid is not None
    assert supervisor.pid is not None
    assert supervisor.notebook is not None
    os.kill(supervisor.pid, signal.SIGSTOP)
    os.kill(program.pid, signal.SIGUSR1)
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    while len(children.read_text().split()) < limits.MOST_PROCESSES + 50:
        time.sleep(0.01)
    watchdog = Watchdog(lambda: None)
    watchdog.silent(os.getpid(), supervisor.notebook)
    assert proc.read_stat(program.pid).state == "S"
    watchdog.silent(os.getpid(), supervisor.notebook)
    while proc.read_stat(program.pid).state != "T":
        time.sleep(0.01)
    os.kill(supervisor.pid, signal.SIGCONT)
    assert program.wait_gone(PATIENCE_S)
    assert program.why == "processes"


def test_a_program_cannot_stop_its_owner(run: Run) -> None:
    program, _ = run(shell("kill -STOP $PPID; exit 3"))
    assert program.wait(PATIENCE_S) == 3


def test_an_owner_that_is_stopped_before_it_tells_of_a_program_is_freed(supervisor: Supervisor) -> None:
    """Nobody had anything to hear from it until then."""
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGSTOP)
    started: list[Program] = []
    starter = threading.Thread(target=lambda: started.append(supervisor.start(shell("exit 3"))), daemon=True)
    starter.start()
    starter.join(PATIENCE_S)
    os.kill(supervisor.pid, signal.SIGCONT)
    assert started, "it was never freed"
    assert started[0].wait_gone(PATIENCE_S)


def test_a_memory_hog_is_ended(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_MEMORY_BYTES", str(100 << 20))
    hog = Supervisor()
    try:
        program = hog.start(python("x = []\nwhile True: x.append(bytearray(1 << 20))", name="hog"))
        assert program.wait_gone(PATIENCE_S)
        assert (program.why, program.limit) == ("memory", "100 MB")
    finally:
        hog.close()


def test_output_beyond_the_limit_is_cut_in_the_middle_and_kept_whole(run: Run) -> None:
    lines = 60_000
    program, said = run(python(f"for n in range({lines}): print(f'{{n:09}}')"))
    assert program.wait_gone(PATIENCE_S)
    whole = "".join(f"{n:09}\n" for n in range(lines))
    cut = said.last["cut"]
    assert cut["total"] == len(whole)
    assert said.out.startswith(whole[: output.HEAD_BYTES])
    assert said.out.endswith(whole[-output.TAIL_BYTES :])
    assert len(said.out) + int(str(cut["bytes"])) == len(whole)
    assert Path(str(cut["path"])).read_text() == whole


def test_a_program_that_closes_everything_still_ends_and_is_seen_to(run: Run) -> None:
    program, _ = run(python("import os\nos.closerange(0, 1000)\nos._exit(5)"))
    assert program.wait(PATIENCE_S) == 5
    assert program.wait_gone(PATIENCE_S)


# --- pictures ---------------------------------------------------------------------------------------


def test_a_watch_hears_of_changes_and_only_of_changes(run: Run, supervisor: Supervisor) -> None:
    pictures: list[dict[str, object]] = []
    changed = threading.Condition()

    def take(scene: dict[str, object]) -> None:
        with changed:
            pictures.append(scene)
            changed.notify_all()

    def has(name: str) -> bool:
        return any(p["name"] == name for p in pictures[-1]["processes"]) if pictures else False  # type: ignore[attr-defined]

    watch = supervisor.watch(take)
    program, _ = run(shell("read line", name="reader"), terminal=True)
    with changed:
        assert changed.wait_for(lambda: has("reader"), PATIENCE_S)
        count = len(pictures)
        changed.wait(0.3)
        assert len(pictures) <= count + 1, "the program only waits: nothing changes"
    program.type("x\n")
    with changed:
        assert changed.wait_for(lambda: not has("reader"), PATIENCE_S)
    watch.close()


def test_a_callback_that_fails_harms_nobody_else(run: Run, supervisor: Supervisor) -> None:
    watch = supervisor.watch(lambda scene: 1 / 0)
    program, _ = run(shell("sleep 0.1; exit 3"))
    assert program.wait(PATIENCE_S) == 3
    watch.close()
    assert supervisor.scene() is not None


# --- whose is it ------------------------------------------------------------------------------------


def test_a_mark_survives_sessions_forks_and_an_empty_environment(run: Run, supervisor: Supervisor) -> None:
    source = DAEMON + "os.execve('/bin/sleep', ['sleep', '100'], {})"
    program, said = run(python(source))
    said.until(lambda: said.out.endswith("\n"))
    pid = int(said.out.split()[1])
    while Path(f"/proc/{pid}/environ").read_bytes():
        assert program.alive
    assert supervisor.notebook is not None
    assert marks.read(pid) == marks.of_program(supervisor.notebook, program.number)
    assert marks.read(os.getpid()) != marks.read(pid)


def test_this_process_adopts_orphans_only_while_programs_run(scratch: Path) -> None:
    own = Supervisor()
    before = syscalls.is_subreaper()
    syscalls.become_subreaper(False)
    try:
        program = own.start(shell("sleep 100"))
        assert syscalls.is_subreaper()
        program.kill()
        assert program.wait_gone(PATIENCE_S)
        assert not syscalls.is_subreaper()
    finally:
        own.close()
        syscalls.become_subreaper(before)


def test_when_the_owner_is_killed_its_programs_end_and_others_are_left_alone(scratch: Path) -> None:
    import subprocess

    own = Supervisor()
    said = Said()
    stranger = subprocess.Popen(["sleep", "100"])
    try:
        program = own.start(python(DAEMON + "time.sleep(100)"), on_output=said.output)
        said.until(lambda: said.out.count("\n"))
        own.wait_for(lambda: own.pid is not None, PATIENCE_S)
        assert own.pid is not None
        os.kill(own.pid, signal.SIGKILL)
        assert program.wait_gone(PATIENCE_S)
        assert program.why == "owner"
        assert not Path(f"/proc/{said.out.split()[1]}").exists()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        own.close()


def test_time_is_not_wasted_while_nothing_runs(supervisor: Supervisor) -> None:
    assert supervisor.pid is not None
    supervisor.scene()
    while Path(f"/proc/{supervisor.pid}/syscall").read_text().split()[0] == "running":
        time.sleep(0.01)  # it has answered, and is on its way back to sleep
    before = Path(f"/proc/{supervisor.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    switches = _switches(supervisor.pid)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        signal.sigtimedwait([], 0.1)
    after = Path(f"/proc/{supervisor.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    assert after == before
    assert _switches(supervisor.pid) == switches


def _switches(pid: int) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    return text.partition("voluntary_ctxt_switches:")[2].split()[0]


def test_the_number_of_a_recorder_that_has_ended_may_be_somebody_elses() -> None:
    with subprocess.Popen(["sleep", "100"]) as another:
        ended = SimpleNamespace(pid=another.pid, records=True, status=0)
        owner: Any = SimpleNamespace(
            programs={1: ended}, family=SimpleNamespace(living=lambda: pytest.fail("it waits"))
        )
        Owner._dismiss_recorders(owner)
        another.kill()
    assert another.returncode == -signal.SIGKILL
