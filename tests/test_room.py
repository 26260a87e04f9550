"""A room is a machine of its own for its programs, and when it ends nothing of it is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import leaks
import pytest
import sandboxes

from labkit import room

SOAK = os.environ.get("LABKIT_SOAK") == "1"
ROUNDS = 400 if SOAK else 24

needs_room = pytest.mark.skipif(room.why_no_room() is not None, reason=f"no room here: {room.why_no_room()}")

# Makes one of everything, and a daemon; all ignore every signal they can.
NASTY = r"""
import ctypes, os, signal, sys, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, signal.SIG_IGN)
if "objects" in sys.argv:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.shmget(77, 4096, 0o1600) >= 0 and libc.semget(77, 1, 0o1600) >= 0
    assert libc.msgget(77, 0o1600) >= 0
    open("/dev/shm/left", "w").close()
    assert libc.mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
    os.mkfifo(os.environ["LABKIT_SCRATCH"] + "/left")
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        break
else:
    os.write(1, b"ready\n")
while True:
    time.sleep(1000)
"""

# Stands in for Jupyter: it starts the guards as Jupyter starts a kernel, in a group of their own.
JUPYTER = """
import subprocess, sys
kernel = subprocess.Popen([sys.executable, "-P", "-c", sys.argv[1], *sys.argv[2:]], start_new_session=True)
print("kernel", kernel.pid, flush=True)
kernel.wait()
"""

KERNEL = """
import os, sys
from labkit import room
from labkit.kernelspec import guard
os.environ["LABKIT_SCRATCH"] = scratch = sys.argv[1]
program = [sys.executable, "-c", *sys.argv[3:]]
if sys.argv[2] == "room":
    program = room.in_room(program, private=[scratch])
sys.exit(guard.run(program, os.getppid()))
"""


def _start(
    scratch: Path, kind: str, python: str, options: dict[str, Any]
) -> tuple[subprocess.Popen[str], int]:
    """The stand-in for Jupyter, and the pid it knows its kernel by."""
    objects = ["objects"] if kind == "room" else []
    command = [python, "-P", "-c", JUPYTER, KERNEL, str(scratch), kind, NASTY, *objects]
    environment = {"env": {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}}
    jupyter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **(environment | options))
    assert jupyter.stdout is not None
    return jupyter, int(jupyter.stdout.readline().split()[1])


def _kill_one(jupyter: subprocess.Popen[str], kernel: int, chance: random.Random) -> str:
    """SIGKILL to somebody, as Jupyter, the kernel or an impatient person would; says to whom."""
    family = [kernel, *(pid for pid, _ in sorted(leaks.below(kernel)))]
    whom = chance.choice(["jupyter", "group", *family])
    try:
        if whom == "jupyter":
            jupyter.kill()
        elif whom == "group":
            os.killpg(kernel, signal.SIGKILL)
        else:
            os.kill(whom, signal.SIGKILL)
    except ProcessLookupError:
        whom = f"{whom}, which had gone"
    return f"{whom} of {family}"


def _end(jupyter: subprocess.Popen[str]) -> None:
    """If the kernel had two lives, as when only its daemon was hit, Jupyter ends it now."""
    jupyter.kill()
    jupyter.wait()
    assert jupyter.stdout is not None
    jupyter.stdout.close()


@pytest.mark.soak
@pytest.mark.timeout(0 if SOAK else 180)
@pytest.mark.parametrize("user", ["as we are", "ordinary user"])
@pytest.mark.parametrize("kind", [pytest.param("room", marks=needs_room), "no room"])
def test_sigkill_at_any_moment_leaves_nothing(kind: str, user: str, tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path) if user == "ordinary user" else (sys.executable, {})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    os.chown(scratch, *(2 * [options.get("user", -1)]))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for round_ in range(ROUNDS):
        before = leaks.Before()
        jupyter, kernel = _start(scratch, kind, python, options)
        try:
            _some_time_later(jupyter, chance)
            said = _kill_one(jupyter, kernel, chance)
        finally:
            _end(jupyter)
        assert before.left_behind() == [], f"seed {seed}, round {round_}, SIGKILL to {said}"
        assert os.listdir(scratch) == []


def _some_time_later(jupyter: subprocess.Popen[str], chance: random.Random) -> None:
    """At a random moment of the start, or once all is there."""
    if chance.random() < 0.3:
        assert jupyter.stdout is not None
        assert jupyter.stdout.readline() == "ready\n"
    else:
        with pytest.raises(subprocess.TimeoutExpired):
            jupyter.wait(chance.random() * 0.3)


@needs_room
@pytest.mark.parametrize("user", ["as we are", "ordinary user"])
def test_in_a_room_everything_can_be_seen(user: str, tmp_path: Path) -> None:
    """What the X-ray and the film are made of works inside: each is tried on a real child."""
    python, options = sandboxes.ordinary_user(tmp_path) if user == "ordinary user" else (sys.executable, {})
    run = subprocess.run(
        room.in_room([python, "-c", WITNESS]), capture_output=True, text=True, **({"env": _here()} | options)
    )
    assert run.stderr == ""
    assert json.loads(run.stdout) == {
        "own pids": True,
        "pidfd_getfd": True,
        "kcmp": True,
        "ptrace": True,
        "queue": True,
        "empty": True,
        "inside": True,
    }


def _here() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


WITNESS = """
import ctypes, json, os
from labkit import room
from labkit.kernel import syscalls
libc = ctypes.CDLL(None, use_errno=True)
r, w = os.pipe()
child = os.fork()
if child == 0:
    os.read(r, 1)
    os._exit(0)
pidfd = syscalls.pidfd_open(child)
copy = syscalls.pidfd_getfd(pidfd, r)
seen = {
    "own pids": os.getpid() < 10,
    "pidfd_getfd": os.fstat(copy).st_ino == os.fstat(r).st_ino,
    "kcmp": syscalls.kcmp(os.getpid(), child, 0, r, r) == 0,
    "ptrace": libc.ptrace(0x4206, child, None, None) == 0,
    "queue": libc.mq_open(b"/q", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0,
    "empty": os.listdir("/dev/shm") == [] and len(open("/proc/sysvipc/shm").readlines()) == 1,
    "inside": room.inside(),
}
os.write(w, b"x")
os.waitpid(child, 0)
print(json.dumps(seen))
"""


@needs_room
@pytest.mark.skipif(os.geteuid() != 0, reason="others have RLIMIT_NPROC")
def test_root_too_meets_a_limit_of_processes_in_a_room_and_the_machine_does_not() -> None:
    if room._kernel_version() < (6, 14):
        pytest.skip("pid_max belongs to a PID namespace since Linux 6.14")
    machine = Path("/proc/sys/kernel/pid_max").read_text()
    command = room.in_room([sys.executable, "-c", MANY], most_processes=400)
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 300 < int(run.stdout) < 400
    assert Path("/proc/sys/kernel/pid_max").read_text() == machine


@needs_room
def test_what_a_room_keeps_in_memory_is_limited(tmp_path: Path) -> None:
    look = "import os\nfor folder in ('/dev/shm', %r): s = os.statvfs(folder); print(s.f_blocks * s.f_frsize)"
    command = room.in_room([sys.executable, "-c", look % str(tmp_path)], private=[str(tmp_path)])
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert [round(memory / int(size)) for size in run.stdout.split()] == [8, 8]


MANY = """
import os, signal
for count in range(1000):
    try:
        child = os.fork()
    except BlockingIOError:
        break
    if child == 0:
        signal.pause()
print(count)
"""


@needs_room
def test_a_room_for_grading_is_read_only_and_has_no_network(tmp_path: Path) -> None:
    code = f"""
import os, socket, json
def refused(call, *args):
    try: call(*args)
    except OSError as error: return os.strerror(error.errno)
    return "allowed"
open({str(tmp_path)!r} + "/work/new", "w").close()
print(json.dumps([refused(os.mkdir, {str(tmp_path)!r} + "/x"), [name for _, name in socket.if_nameindex()]]))
"""
    (tmp_path / "work").mkdir()
    command = room.in_room(
        [sys.executable, "-c", code], network=False, read_only=True, writable=[str(tmp_path / "work")]
    )
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == ["Read-only file system", ["lo"]]
    assert os.listdir(tmp_path) == ["work"]


@needs_room
def test_a_program_knows_when_it_is_not_in_a_room() -> None:
    assert not room.inside()
    code = "import labkit.room; raise SystemExit(labkit.room.inside())"
    environment = {**os.environ, room.OUTSIDE: os.readlink("/proc/self/ns/ipc")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


# --- why there is none ------------------------------------------------------------------------------


def _reason(**options: Any) -> str:
    code = "from labkit import room; print(room.why_no_room())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options)
    return run.stdout.strip()


def test_a_seccomp_filter_that_refuses_namespaces_is_named() -> None:
    reason = _reason(preexec_fn=sandboxes.like_docker())
    assert "a seccomp filter, as containers have, refuses new namespaces" in reason
    assert "--security-opt seccomp=unconfined" in reason


def test_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "bubblewrap", lambda: None)
    room.why_no_room.cache_clear()
    assert "apt install bubblewrap" in (room.why_no_room() or "")
    room.why_no_room.cache_clear()


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo apparmor_parser -r /etc/apparmor.d/bwrap",
        ),
    ],
)
def test_a_setting_that_forbids_rooms_is_named_with_its_remedy(
    setting: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_setting", lambda name: value if name == setting else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    assert remedy in room.explain("bwrap: setting up uid map: Permission denied")


def test_in_a_chroot_the_reason_is_a_sentence(tmp_path: Path) -> None:
    """The kernel makes no user namespace for a process whose root is not its mount namespace's."""
    if os.geteuid() != 0:
        pytest.skip("only root may change its root")
    work = tmp_path / "root"
    work.mkdir()
    code = "import os, sys; from labkit import room; os.chroot('/proc/self/cwd'); print(room.why_no_room())"
    steps = [f"mount --bind / {work}", f"mount --bind /proc {work}/proc", f"mount --bind /dev {work}/dev"]
    steps += [f"cd {work}", f'exec {sys.executable} -c "{code}"']
    command = ["unshare", "--mount", "sh", "-c", " && ".join(steps)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0 and "ermitted" in run.stderr:
        pytest.skip(f"this root may not mount: {run.stderr}")
    assert run.stdout == "new namespaces are refused here, as in a chroot or a locked-down container.\n"


def test_an_unknown_complaint_is_passed_on() -> None:
    assert "it said: bwrap: the moon is full" in room.explain("bwrap: the moon is full")
