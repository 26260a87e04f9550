"""`labkit xray` as a person at a terminal meets it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from stuck_programs import BOTH_READ

from labkit.cli import main
from labkit.scene import Scene
from labkit.waits import judge
from labkit.xray import xray

SECONDS = 20
CALM = [sys.executable, "-c", "import os; r, w = os.pipe(); os.read(r, 1) if os.fork() else os.read(0, 1)"]
STUCK = [sys.executable, "-c", textwrap.dedent(BOTH_READ)]


def labkit(*words: str | int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", "xray", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[int]:
    """A program of two processes, both asleep by now."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True) as program:
        try:
            end = time.monotonic() + SECONDS
            while len([p for p in xray(program.pid).processes if p.blocked]) < 2:
                assert time.monotonic() < end
                threading.Event().wait(0.01)
            yield program.pid
        finally:
            os.killpg(program.pid, signal.SIGKILL)


def test_text_is_what_one_gets_unasked() -> None:
    with running(CALM) as pid:
        done = labkit(pid)
        assert labkit(pid, "--text").stdout.splitlines()[0].startswith(f"parent ({pid})  waiting in read(3)")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"parent ({pid})  waiting in read(3) on pipe-")
    assert "\nchild (" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_json_is_the_scene() -> None:
    with running(CALM) as pid:
        done = labkit(pid, "--json")
    told = json.loads(done.stdout)
    scene = Scene.from_dict(told)
    assert scene.to_dict() == told
    assert done.stdout == scene.to_json(indent=2) + "\n"
    assert scene.processes[0].pid == pid
    assert judge(scene).waits == scene.waits


def test_dot_is_for_graphviz() -> None:
    with running(CALM) as pid:
        done = labkit(pid, "--dot")
    assert done.stdout.startswith("digraph scene {")
    assert f"p{pid} [label=" in done.stdout


def test_a_deadlock_is_told_and_makes_the_status_1() -> None:
    with running(STUCK) as pid:
        done = labkit(pid)
        assert labkit(pid, "--json").returncode == labkit(pid, "--dot").returncode == 1
    assert (done.returncode, done.stderr) == (1, "")
    assert "DEADLOCK  `parent` waits in read(5)" in done.stdout


def test_several_processes_have_names_of_their_own() -> None:
    with running(CALM) as one, running(CALM) as other:
        done = labkit(one, other)
    assert f"({one})" in done.stdout
    assert f"({other})" in done.stdout
    assert done.returncode == 0


def test_all_shows_what_nobody_in_the_picture_has(tmp_path: object) -> None:
    import sysv_ipc

    queue = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX)
    try:
        with running(CALM) as pid:
            shown, hidden = labkit(pid, "--all", "--json"), labkit(pid, "--json")
        ids = {o.get("msqid") for o in json.loads(shown.stdout)["objects"]}
        assert queue.id in ids
        if "LABKIT_OUTSIDE_IPC" not in os.environ:
            assert queue.id not in {o.get("msqid") for o in json.loads(hidden.stdout)["objects"]}
    finally:
        queue.remove()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x12"], "'x12' is not a process id: give a number, as `ps` shows it."),
        (["-5"], "xray: "),
        (["²"], "'²' is not a process id"),
        (["999999999"], "There is no process 999999999: `ps` lists those there are."),
        (["99999999999999999999999"], "There is no process 99999999999999999999999"),
        ([""], "'' is not a process id"),
        ([], "the following arguments are required: PID"),
        (["--json", "--dot", "1"], "not allowed with argument"),
        (["--follow", "--json", "1"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words: list[str], sentence: str) -> None:
    done = labkit(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["nosuch"]])
def test_a_command_that_is_none_gets_one_line_that_names_them_all(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "labkit", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "doctor, xray, film" in done.stderr


def test_ctrl_c_while_a_command_is_loaded_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("labkit.cli.importlib.import_module", interrupted)
    assert main(["explore", "--", "true"]) == 130


@pytest.mark.parametrize("words", [["xray", str(os.getpid())], ["doctor", "--plain"]])
def test_a_full_disk_gets_one_line(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "labkit", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == f"labkit {words[0]}: the output could not be written: No space left on device.\n"


def test_one_who_has_ended_is_no_process() -> None:
    program = subprocess.Popen(["true"])
    program.wait()
    assert "There is no process" in labkit(program.pid).stderr


def test_a_zombie_is_shown() -> None:
    program = subprocess.Popen(["true"])
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    done = labkit(program.pid)
    program.wait()
    assert "its parent has not waited for it yet" in done.stdout
    assert done.returncode == 0


def test_a_thread_is_told_from_a_process() -> None:
    hold = threading.Event()
    thread = threading.Thread(target=hold.wait)
    thread.start()
    done = labkit(thread.native_id or 0)
    hold.set()
    thread.join()
    assert f"{thread.native_id} is a thread of process {os.getpid()}: give {os.getpid()}." in done.stderr
    assert done.returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_strangers_process_is_said_to_be_not_visible_and_why() -> None:
    """`nobody` looks at ours. The first look, at itself, loads all that it could not read later."""
    code = """
        import os, sys
        from labkit.cli import main
        main(["xray", str(os.getpid())])
        os.setgid(65534)
        os.setuid(65534)
        main(["xray", sys.argv[1]])
    """
    with running(CALM) as pid:
        command = [sys.executable, "-c", textwrap.dedent(code), str(pid)]
        done = subprocess.run(command, capture_output=True, text=True)
    assert "what it has open and in memory is not visible here" in done.stdout
    assert "sudo" in done.stdout.split("not visible here:")[-1]
    assert "Traceback" not in done.stderr


# --- follow -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def following(pid: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`labkit xray --follow` on a terminal of its own, and that terminal."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "labkit", "xray", "--follow", str(pid)]
    program = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    try:
        yield program, ours
    finally:
        if program.poll() is None:
            program.kill()
        program.wait()
        os.close(ours)


def read_until(terminal: int, words: bytes) -> bytes:
    seen = b""
    end = time.monotonic() + SECONDS
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{words!r} did not come; the last was {seen[-300:]!r}"
        seen += os.read(terminal, 65536)
    return seen


def drained(terminal: int) -> bytes:
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the other side has closed the terminal
        while True:
            seen += os.read(terminal, 65536)
    return seen


def test_follow_draws_again_until_the_process_ends() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        with following(cat.pid) as (program, terminal):
            read_until(terminal, b"waiting in read(0)")
            read_until(terminal, b"waiting in read(0)")
            assert cat.stdin is not None
            cat.stdin.close()
            rest = drained(terminal)
            assert program.wait(SECONDS) == 0
            assert b"Traceback" not in rest


def test_follow_ends_with_ctrl_c_and_says_whether_there_is_a_deadlock() -> None:
    with running(STUCK) as pid, following(pid) as (program, terminal):
        read_until(terminal, b"DEADLOCK")
        os.killpg(program.pid, signal.SIGINT)
        rest = drained(terminal)
        assert program.wait(SECONDS) == 1
        assert b"Traceback" not in rest


def test_follow_that_is_told_to_end_gives_the_cursor_back() -> None:
    with running(STUCK) as pid, following(pid) as (program, terminal):
        read_until(terminal, b"DEADLOCK")
        program.terminate()
        assert drained(terminal).endswith(b"\x1b[?25h")
        assert program.wait(SECONDS) == 143


def test_plain_pictures_do_not_load_what_only_follow_needs() -> None:
    code = f"import sys; from labkit.cli import main; main(['xray', '{os.getpid()}']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "labkit.draw" in loaded
    assert not loaded & {"rich", "asyncio", "labkit.draw.picture", "IPython"}
