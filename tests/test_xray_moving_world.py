"""The X-ray never fails because the world moved, or because somebody has a strange name."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.subjects import one, subject, until

from labkit.kernel import syscalls
from labkit.scene import Pipe, Scene, UnixSocket
from labkit.xray import XRay, xray

STORM = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t over;
static void end(int number) { over = number; }

int main(void)
{
    signal(SIGTERM, end);
    while (!over) {
        int ends[2];
        if (pipe(ends) < 0)
            return 1;
        for (int i = 0; i < 4; i++)
            if (fork() == 0) {
                int fd = open("/dev/null", O_RDONLY);
                dup2(fd, 50 + i);
                if (fork() == 0)
                    _exit(0);
                if (write(ends[1], "x", 1) != 1)
                    _exit(1);
                wait(NULL);
                _exit(i);
            }
        close(ends[0]);
        close(ends[1]);
        while (wait(NULL) > 0)
            ;
    }
    return 0;
}
"""


def test_a_storm_of_short_lived_processes(tmp_path: Path) -> None:
    (tmp_path / "storm.c").write_text(STORM)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "storm", tmp_path / "storm.c"], check=True)
    with subprocess.Popen([tmp_path / "storm"]) as process, XRay() as camera:
        try:
            most = 0
            for _ in range(400):
                scene = camera.look(process.pid)
                assert Scene.from_json(scene.to_json()) == scene
                assert len({p.name for p in scene.processes}) == len(scene.processes)
                most = max(most, len(scene.processes))
            assert most > 1
        finally:
            process.terminate()
    assert process.returncode == 0


def test_a_process_that_ends_in_mid_look_is_left_out_or_dead() -> None:
    for _ in range(30):
        with subprocess.Popen(["sleep", "100"]) as process, XRay() as camera:
            camera.look(process.pid)
            process.kill()
            for _ in range(20):
                for found in camera.look(process.pid).processes:
                    assert found.state in ("running", "sleeping", "zombie", "dead")


NAMES = [b"a) R 1 (b", b" ", b"(", b")", b"two\nlines", b"\xff\xfe", b"tab\there", b"')\" $x"]


@pytest.mark.parametrize("other", ["a pipe", "a file"])
def test_a_number_that_stands_for_something_else_by_now_is_not_looked_into(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor was closed, and its number given again, between the table and the copy."""
    r, w = os.pipe() if other == "a pipe" else (os.open("/dev/null", os.O_RDWR), -1)
    os.write(w if w >= 0 else r, b"of another")
    source = "r, w = os.pipe(); os.write(w, b'hi'); a, b = socket.socketpair(); a.send(b'x'); ready()"
    with subject(source) as p:
        monkeypatch.setattr(syscalls, "pidfd_getfd", lambda pidfd, fd: os.dup(r))
        scene = XRay().look(p.pid)
        monkeypatch.undo()
    pipes = [thing for thing in scene.objects if isinstance(thing, Pipe)]
    assert {(pipe.queued, pipe.head) for pipe in pipes} == {(None, None)}
    assert {thing.head for thing in scene.objects if isinstance(thing, UnixSocket)} == {b"", None}
    assert scene.limits == ()
    for fd in {r, w} - {-1}:
        os.close(fd)


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_of_programs(tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    os.symlink("/bin/sleep", path)
    with subprocess.Popen([path, "100"]) as process:
        try:
            scene = until(lambda: xray(process.pid), lambda s: s.processes[0].blocked is not None)
        finally:
            process.kill()
    (found,) = scene.processes
    assert found.state == "sleeping"
    assert found.command is not None
    assert name.decode("utf-8", "backslashreplace") in found.command
    assert Scene.from_json(scene.to_json()) == scene


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_of_fifos_and_files(tmp_path: Path, name: bytes) -> None:
    fifo, file = (os.fsencode(tmp_path) + b"/" + name + end for end in (b"1", b" (deleted)"))
    os.mkfifo(fifo)
    source = f"f = os.open({fifo!r}, os.O_RDWR); g = os.open({file!r}, os.O_RDWR | os.O_CREAT)\nready()"
    with subject(source) as program:
        scene = xray(program.pid)
    assert one(scene, "fifo").path == fifo.decode("utf-8", "backslashreplace")
    assert one(scene, "file", path=file.decode("utf-8", "backslashreplace")).deleted is False
    assert Scene.from_json(scene.to_json()) == scene


def test_thousands_of_descriptors() -> None:
    many = min(3000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)
    source = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({many + 100}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
first = os.open("/dev/null", os.O_RDONLY)
pipes = [os.pipe() for _ in range({many} // 4)]
for _ in range({many} // 2): os.dup(first)
ready(held=len(os.listdir("/proc/self/fd")) - 1)
"""
    with subject(source) as program, XRay() as camera:
        scene = camera.look(program.pid)
        again = camera.look(program.pid)
    (process,) = scene.processes
    assert len(process.descriptors or ()) == program.facts["held"]
    assert sum(isinstance(thing, Pipe) for thing in scene.objects) >= many // 4
    null = [held for held in process.descriptors or () if held.object == process.descriptors[5].object]  # type: ignore[index]
    assert len({held.description for held in process.descriptors or ()}) > many // 4
    assert null
    assert again.processes[0].descriptors == process.descriptors


def test_a_program_with_many_threads() -> None:
    source = "for _ in range(100): threading.Thread(target=signal.pause, daemon=True).start()\nready()"
    with subject(source) as program:

        def asleep(scene: Scene) -> bool:
            calls = [thread.blocked.call for thread in scene.processes[0].threads if thread.blocked]
            return calls.count("pause") == 100

        scene = until(lambda: xray(program.pid), asleep)
    assert len(scene.processes[0].threads) == 101


def test_it_may_look_at_itself() -> None:
    scene = xray(os.getpid())
    assert scene.processes[0].pid == os.getpid()
    assert scene.processes[0].state == "running"


def test_a_look_that_is_interrupted_by_signals_goes_on() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        with subject("r, w = os.pipe(); os.write(w, b'x'); ready()") as program, XRay() as camera:
            for _ in range(100):
                assert len(camera.look(program.pid).processes) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_cold_start_imports_little() -> None:
    program = "import sys, labkit.xray; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "labkit.xray" in done.stdout.split()
    assert not {"rich", "asyncio", "IPython"} & set(done.stdout.split())
