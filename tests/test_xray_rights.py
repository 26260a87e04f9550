"""With fewer rights the X-ray shows what it can, and says what it can't: never a zero, never a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from kernel.subjects import picture, subject

from labkit.kernel import rights
from labkit.look import refusals
from labkit.scene import Memory, Pipe, Scene

SOURCE = """
r, w = os.pipe(); os.write(w, b"hello")
r2, w2 = os.pipe()
f = os.open("/dev/null", os.O_RDONLY)
child(lambda: os.read(r2, 1))
ready(r=r, f=f)
"""


def look(pid: int, *command: str, **options: Any) -> Scene:
    """What `labkit xray` shows of this process, run apart with the rights of `options`."""
    words = [*(command or (sys.executable,)), "-m", "labkit", "xray", str(pid), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    return Scene.from_json(done.stdout)


def pipes_of(scene: Scene) -> list[Pipe]:
    return [thing for thing in scene.objects if isinstance(thing, Pipe)]


def said(scene: Scene) -> dict[str, str]:
    return {limit.what: limit.because for limit in scene.limits}


@pytest.fixture(params=["root or me", "an ordinary user"])
def who(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """(a Python, options for Popen)."""
    if request.param == "an ordinary user":
        return sandboxes.ordinary_user(tmp_path)
    return sys.executable, {}


def test_one_s_own_programs_are_shown_whole(who: tuple[str, dict[str, Any]]) -> None:
    python, options = who
    with subject(SOURCE, python=python, **options) as program:
        picture(program.pid, "read", "read")
        scene = look(program.pid, python, **options)
    assert scene.limits == ()
    assert [pipe.head for pipe in pipes_of(scene) if pipe.queued] == [b"hello"]
    waiting = scene.processes[1].blocked
    assert waiting is not None
    assert (waiting.call, waiting.timed) == ("read", False)
    assert all(held.description for process in scene.processes for held in process.descriptors or ())


def filtered(options: dict[str, Any], *calls: str) -> dict[str, Any]:
    install: Callable[[], None] = sandboxes.like_docker(*calls)
    return {**options, "preexec_fn": install}


def test_in_a_stock_container_pipes_are_opened_again(who: tuple[str, dict[str, Any]]) -> None:
    python, options = who
    with subject(SOURCE, python=python, **options) as program:
        picture(program.pid, "read", "read")
        scene = look(program.pid, python, **filtered(options, "pidfd_getfd", "kcmp"))
    assert [(pipe.queued, pipe.head) for pipe in pipes_of(scene) if pipe.queued] == [(5, b"hello")]
    made_by_others = {pipe.id for pipe in pipes_of(scene) if pipe.queued is None}
    standard = {held.object for held in scene.processes[0].descriptors or () if held.fd < 3}
    assert made_by_others <= standard
    assert bool(made_by_others) == any(what.startswith("what is inside the pipes") for what in said(scene))
    assert "kcmp is refused" in said(scene)["which descriptors are one open file description"]
    assert all(held.description is None for held in scene.processes[0].descriptors or ())


def test_in_a_stock_container_it_is_said_that_a_socket_s_time_limit_is_not_seen() -> None:
    with subject("a, b = socket.socketpair(); child(lambda: a.recv(1)); ready()") as program:
        picture(program.pid, "recv")
        scene = look(program.pid, **filtered({}, "pidfd_getfd", "kcmp"))
    waiting = scene.processes[1].blocked
    assert waiting is not None
    assert (waiting.call, waiting.timed) == ("recv", None)
    assert "refuses pidfd_getfd here" in said(scene)["whether sockets have a time limit of child"]


def test_without_a_look_into_memory_or_ptrace_the_rest_is_still_there() -> None:
    refused = ("pidfd_getfd", "kcmp", "process_vm_readv", "ptrace", "pidfd_open", "tee")
    with subject(
        "p = select.poll()\nr, w = os.pipe(); p.register(r); child(lambda: p.poll())\nready()"
    ) as program:
        picture(program.pid, "poll")
        scene = look(program.pid, **filtered({}, *refused))
    waiting = scene.processes[1].blocked
    assert waiting is not None
    assert (waiting.call, waiting.on) == ("poll", ())
    assert "refuses process_vm_readv here" in said(scene)["what is in the memory of child"]
    assert all(pipe.head in (None, b"") for pipe in pipes_of(scene))
    assert scene.deadlocks == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to have a program that is not the user's")
def test_another_user_s_program_is_a_limit_in_words(tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    with subject(SOURCE) as program:
        picture(program.pid, "read", "read")
        scene = look(program.pid, python, **options)
    assert [process.name for process in scene.processes] == ["parent", "child"]
    assert [process.descriptors for process in scene.processes] == [None, None]
    assert [process.blocked for process in scene.processes] == [None, None]
    assert [process.state for process in scene.processes] == ["sleeping", "sleeping"]
    because = said(scene)["the descriptors of parent and child"]
    assert "it belongs to root (uid 0)" in because
    assert "sudo" in because
    assert scene.deadlocks == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to have a program that is not the user's")
def test_a_zombie_of_another_user_does_not_say_how_it_ended(tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    source = "child(lambda: os._exit(0))\nos.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\nready()\n"
    source += "os.waitpid(children.pop(), 0)"
    with subject(source) as program:
        scene = look(program.pid, python, **options)
    assert (scene.processes[1].state, scene.processes[1].exit) == ("zombie", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to have a program that is not the user's")
def test_nothing_is_proven_about_pipes_while_another_user_s_table_is_hidden(tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    source = "r, w = os.pipe(); child(lambda: os.read(r, 1)); os.close(w)\nready(r=r)"
    with subject(source, python=python, **options) as program:
        picture(program.pid, "read", "read")
        scene = look(program.pid, python, **options)
    stdin = next(held.object for held in scene.processes[0].descriptors or () if held.fd == 0)
    assert scene.object(stdin).others is None  # type: ignore[union-attr]


DROPS = """
a, b = %s
def work():
    for fd in a, b: os.set_inheritable(getattr(fd, "fileno", lambda: fd)(), True)
    os.setgid({uid}), os.setuid({uid})
    code = "import os, sys; os.read(int(sys.argv[1]), 1)"
    os.execv({python!r}, [{python!r}, "-c", code, str(getattr(a, "fileno", lambda: a)())])
child(work)
ready()
"""


@pytest.mark.parametrize("ends", ["os.pipe()", "socket.socketpair()"])
@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to start a program as another user")
def test_nothing_is_proven_about_what_a_hidden_parent_may_have_too(ends: str, tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    with subject((DROPS % ends).format(uid=sandboxes.UID, python=python)) as program:
        child = picture(program.pid, "read", "read").processes[1]
        scene = look(child.pid, python, **options)
    assert scene.deadlocks == ()
    sleeps_on = scene.object(scene.processes[0].blocked.object)  # type: ignore[union-attr]
    assert sleeps_on.others is None  # type: ignore[union-attr]


CROSSED_MUTEXES = """
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
struct { pthread_mutex_t lock[2]; volatile int taken; } *all;
int main(int count, char **words) {
    pthread_mutexattr_t shared;
    all = mmap(0, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    for (int i = 0; i < 2; i++) pthread_mutex_init(&all->lock[i], &shared);
    if (count > 1) {
        if (fork()) pause();
        setgid(1001), setuid(1001), prctl(PR_SET_DUMPABLE, 1);
    }
    int me = fork() == 0;
    pthread_mutex_lock(&all->lock[me]);
    __atomic_add_fetch(&all->taken, 1, __ATOMIC_SEQ_CST);
    while (all->taken < 2) sched_yield();
    pthread_mutex_lock(&all->lock[!me]);
}
"""


def crossed_mutexes(folder: Path) -> str:
    program = folder / "crossed"
    compile = ["gcc", "-pthread", "-x", "c", "-o", str(program), "-"]
    subprocess.run(compile, input=CROSSED_MUTEXES, text=True, check=True)
    return str(program)


def test_crossed_mutexes_are_found_by_an_ordinary_user_too(
    who: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    python, options = who
    with subprocess.Popen([crossed_mutexes(tmp_path)], start_new_session=True, **options) as program:
        try:
            picture(program.pid, "futex", "futex")
            scene = look(program.pid, python, **options)
        finally:
            os.killpg(program.pid, signal.SIGKILL)
    (found,) = scene.deadlocks
    assert found.processes == tuple(process.pid for process in scene.processes)
    assert "Take locks in the same order everywhere; if it is no lock, let one wake" in found.because


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to have a process of two users")
def test_nothing_is_proven_of_memory_that_a_hidden_relative_may_have(tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    with subprocess.Popen([crossed_mutexes(tmp_path), "two users"], start_new_session=True) as program:
        try:
            family = picture(program.pid, "pause", "futex", "futex")
            scene = look(family.processes[1].pid, python, **options)
        finally:
            os.killpg(program.pid, signal.SIGKILL)
    assert scene.deadlocks == ()
    memory = next(thing for thing in scene.objects if isinstance(thing, Memory))
    assert memory.others is None


def test_kernel_threads_are_shown() -> None:
    if not Path("/proc/2/comm").exists() or Path("/proc/2/comm").read_text() != "kthreadd\n":
        pytest.skip("kernel threads are not in this PID namespace")
    scene = look(2)
    assert scene.processes[0].command == "kthreadd"
    assert scene.processes[0].descriptors == ()
    assert [process.blocked for process in scene.processes] == [None] * len(scene.processes)


@pytest.mark.parametrize("scope", [1, 2, 3])
def test_yama_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, scope: int) -> None:
    monkeypatch.setattr(rights, "yama_scope", lambda: scope)
    monkeypatch.setattr(rights, "looks_into_everybody", lambda: scope == 3)
    because = refusals.because(os.geteuid(), PermissionError(1, "no", "/proc/7/syscall"), attach=True)
    assert f"ptrace_scope is {scope}" in because
    assert ("sudo" in because) is (scope < 3)


def test_the_doctor_says_what_is_missing_and_exits_0() -> None:
    doctor = [sys.executable, "-m", "labkit", "doctor"]
    refusing = sandboxes.like_docker("pidfd_getfd", "kcmp")
    done = subprocess.run(doctor, capture_output=True, text=True, preexec_fn=refusing, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Missing here: pidfd_getfd, kcmp" in done.stdout
    plain = subprocess.run([*doctor, "--plain"], capture_output=True, text=True, check=True)
    lines = dict(line[5:].split(":", 1) for line in plain.stdout.splitlines()[:-1])
    assert {"pidfd_getfd", "kcmp", "rooms", "gcc", "dot", "chromium", "sysv_ipc with timeouts"} <= set(lines)


def test_the_doctor_has_colours_on_a_terminal() -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "doctor"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert "\x1b[" in done.stdout


def test_json_of_a_poorer_machine_is_still_a_scene() -> None:
    with subject("ready()") as program:
        scene = look(program.pid, **filtered({}, "pidfd_getfd", "kcmp"))
    assert json.loads(scene.to_json())["limits"]
