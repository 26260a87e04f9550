"""Films against hand-written stories, against strace, and against the same programs with nobody watching."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import strace
import sysv_ipc
from stage import c, compiled, filmed, python, shell

from labkit.camera import Camera, Options
from labkit.camera.shortcut import Shortcut
from labkit.errors import LabError
from labkit.film import Film
from labkit.kernel import proc
from labkit.programs import Command

HELLO = python(
    "import os\n"
    "r, w = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.close(r)\n"
    "    os.write(w, b'hello')\n"
    "    os._exit(3)\n"
    "os.close(w)\n"
    "print(os.read(r, 100))\n"
    "os.wait()\n"
)


def test_a_pipe_between_parent_and_child_word_for_word():
    film = filmed(HELLO)
    assert film.text().splitlines() == [
        "parent: pipe([3, 4], O_CLOEXEC) = 0",
        "parent: fork() = child",
        "parent: close(4) = 0",
        "parent: read(3) … waits",
        "child: close(3) = 0",
        'child: write(4, "hello", 5) = 5',
        "parent: read(3) = 5 b'hello'",
        "child: exits 3",
        "parent: wait4(any child) = child, exited 3",
        "parent: exits 0",
    ]
    assert [(p.who, p.stream, p.text) for p in film.output] == [("parent", "stdout", "b'hello'\n")]
    assert {e.who: e.exit for e in film.exits} == {"parent": 0, "child": 3}
    assert film.left_behind == ()


def test_frames_have_what_a_view_needs():
    film = filmed(HELLO)
    waits = next(frame for frame in film.frames if frame.blocked)
    assert (waits.who, waits.call, waits.result) == ("parent", "read", None)
    scene = film.scene(waits.n)
    parent = next(p for p in scene.processes if p.name == "parent")
    assert parent.blocked.call == "read"
    assert parent.blocked.object == next(o.id for o in scene.objects if o.kind == "pipe")
    assert next(p for p in scene.processes if p.name == "child").state == "running"


def test_the_same_program_gives_the_same_film_and_who_goes_first_can_be_chosen():
    program = c("semaphores", "together", "3")
    first = filmed(program)
    assert filmed(program).text() == first.text()
    child = filmed(program, turns="child-first")
    assert child.text() != first.text()
    assert sorted(f.text for f in child.frames if "semop" in f.text) == sorted(
        f.text for f in first.frames if "semop" in f.text
    )


def test_turns_can_force_a_deadlock_on_stage():
    film = filmed(c("semaphores", "crossed"), turns="parent*5,child,child 2,child,child 2")
    assert film.text().splitlines()[-2:] == [
        "child 2: semop(sem-1, [0: -1]) … waits",
        "parent: wait4(any child) … waits",
    ]
    assert [limit.what for limit in film.limits if limit.what == "deadlock"] == ["deadlock"]
    assert film.scenes[-1].deadlocks
    assert {e.exit for e in film.exits} == {None}


def test_who_asks_in_vain_does_not_keep_its_turn_for_ever():
    source = (
        "import os\nr, w = os.pipe(); os.set_blocking(r, False)\n"
        "child = os.fork()\n"
        "if child == 0: os.write(w, b'x'); os._exit(0)\n"
        "while os.waitpid(child, os.WNOHANG)[0] == 0:\n"
        "    try: os.read(r, 1)\n"
        "    except BlockingIOError: pass\n"
    )
    film = filmed(python(source), scenes=False)
    assert film.exits[0].exit == 0
    assert len(film.frames) < 50


def test_a_set_that_was_there_before_and_that_nobody_uses_is_no_part_of_a_film(monkeypatch):
    monkeypatch.setenv("LABKIT_OUTSIDE_IPC", "ipc:[1]")  # as in a room, where every object is shown
    before = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX)
    try:
        film = filmed(python("import sysv_ipc\nsysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX).remove()"))
    finally:
        before.remove()
    sets = [o for scene in film.scenes for o in scene.objects if o.kind == "sysv-sem"]
    assert {o.id for o in sets} == {"sysv-sem-1"}
    assert before.id not in {o.semid for o in sets}


def test_turns_that_are_none_are_refused_in_a_sentence():
    with pytest.raises(LabError, match="--turns is parent-first"):
        filmed(HELLO, turns="parent*many")
    with pytest.raises(LabError, match="did you mean child-first"):
        filmed(HELLO, turns="childfirst")


def test_signals_and_what_they_do():
    film = filmed(
        python(
            "import os, signal\n"
            "signal.signal(signal.SIGUSR1, lambda *_: None)\n"
            "child = os.fork()\n"
            "if child == 0: signal.pause(); os._exit(0)\n"
            "os.waitid\n"
            "os.sched_yield()\n"
            "os.kill(child, signal.SIGUSR1)\n"
            "os.waitpid(child, 0)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
    )
    lines = film.text().splitlines()
    for line in (
        "parent: sigaction(SIGUSR1, a handler, SA_ONSTACK) = 0",
        "child: pause() … waits",
        "parent: kill(child, SIGUSR1) = 0",
        "child: gets SIGUSR1 from parent, handler runs",
        "child: pause() = -1 EINTR (Interrupted system call)",
        "child: exits 0",
        "parent: is ended by SIGKILL",
    ):
        assert line in lines, lines
    assert film.exits[0].exit == -signal.SIGKILL


def test_stopping_and_continuing():
    film = filmed(shell("sleep 5 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?"), seconds=10)
    assert "".join(piece.text for piece in film.output).strip().endswith("143")
    assert "child: is ended by SIGTERM" in film.text()


@pytest.mark.parametrize("call", ["time.sleep(seconds)", "lock.acquire(timeout=seconds)"])
def test_sleeps_end_in_the_order_of_their_times_whatever_the_machine_does(call):
    source = (
        "import os, threading, time\n"
        "lock = threading.Lock(); lock.acquire()\n"
        "for n, seconds in ((1, 0.3), (2, 0.1), (3, 0.2)):\n"
        "    if os.fork() == 0:\n"
        f"        {call}; os.write(1, b'%d' % n); os._exit(0)\n"
        "for _ in range(3): os.wait()\n"
    )
    film = filmed(python(source))
    assert "".join(piece.text for piece in film.output) == "231"
    assert filmed(python(source)).text() == film.text()


def test_system_v_and_posix_objects_have_names_that_stay():
    source = (
        "import sysv_ipc as s, os\n"
        "memory = s.SharedMemory(0x6c616202, s.IPC_CREX, size=100)\n"
        "queue = s.MessageQueue(0x6c616203, s.IPC_CREX)\n"
        "queue.send(b'hello', type=7)\n"
        "queue.receive(type=7)\n"
        "queue.remove(); memory.detach(); memory.remove()\n"
    )
    lines = filmed(python(source)).text().splitlines()
    assert "parent: shmget(key-1, 100, IPC_CREAT|IPC_EXCL|0600) = shm-1" in lines
    assert "parent: msgget(key-2, IPC_CREAT|IPC_EXCL|0600) = msg-1" in lines
    assert 'parent: msgsnd(msg-1, type 7, "hello", 5) = 0' in lines
    assert any(line.startswith("parent: msgrcv(msg-1") and "type 7, b'hello'" in line for line in lines)
    assert "parent: shmdt(shm-1) = 0" in lines


def test_descriptors_sent_over_a_socket_are_shown():
    source = (
        "import os, socket\n"
        "a, b = socket.socketpair()\n"
        "r, w = os.pipe()\n"
        "socket.send_fds(a, [b'take'], [w])\n"
        "socket.recv_fds(b, 10, 1)\n"
    )
    text = filmed(python(source)).text()
    assert 'sendmsg(3, "take", with descriptors [6]) = 4' in text
    assert 'recvmsg(4, "take", with descriptors [7]' in text


def test_what_is_left_behind_is_told():
    film = filmed(shell("ipcmk -M 64 >/dev/null; exec true"))
    assert len(film.left_behind) == 1
    assert film.left_behind[0].startswith("System V shared memory")
    subprocess.run(["ipcrm", "-m", film.left_behind[0].split()[-1]], check=True)


def test_what_was_removed_is_not_left_behind():
    program = python(
        "import posix_ipc, sysv_ipc\n"
        "for thing in (posix_ipc.MessageQueue('/labkit-gone', posix_ipc.O_CREX),\n"
        "              posix_ipc.SharedMemory('/labkit-gone', posix_ipc.O_CREX, size=1),\n"
        "              posix_ipc.Semaphore('/labkit-gone', posix_ipc.O_CREX)):\n"
        "    thing.unlink()\n"
        "sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX).remove()\n"
    )
    assert filmed(program).left_behind == ()


def test_an_endless_program_gives_a_film_that_says_so():
    film = filmed(shell("while :; do :; done"), seconds=1.0)
    assert [limit.because for limit in film.limits if limit.what == "the end"] == [
        "It was still running after 1 s."
    ]
    film = filmed(shell("yes"), output_bytes=10_000)
    assert "10,000 bytes of output" in film.limits[0].because
    film = filmed(python("import os\nwhile True: os.sched_yield()"), frames=50)
    assert len(film.frames) == 50
    assert "50 frames" in film.limits[0].because


def test_two_unrelated_programs_meet_in_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    film = filmed(shell(f"echo hello > {tmp_path}/fifo"), shell(f"cat {tmp_path}/fifo"))
    assert "".join(piece.text for piece in film.output) == "hello\n"
    assert any(frame.blocked and frame.call == "openat" for frame in film.frames)
    assert all(e.exit == 0 for e in film.exits)


def test_films_survive_saving(tmp_path):
    film = filmed(HELLO)
    for name in ("film.json", "film.json.gz"):
        film.save(str(tmp_path / name))
        assert Film.load(str(tmp_path / name)).to_dict() == film.to_dict()
    assert os.path.getsize(tmp_path / "film.json.gz") < os.path.getsize(tmp_path / "film.json")
    film.save(str(tmp_path / "film.html"))
    page = (tmp_path / "film.html").read_text()
    assert "write(4" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    (tmp_path / "other").write_text("{}")
    with pytest.raises(LabError, match="not a film"):
        Film.load(str(tmp_path / "other"))
    with pytest.raises(LabError, match="none of these"):
        film.save(str(tmp_path / "film.txt"))


def test_killing_the_recorder_ends_the_programs():
    source = (
        "import sys\nfrom labkit.camera import record, Options\nfrom labkit.programs import Command\n"
        "command = Command(('/bin/sh', '-c', 'sleep 1000 & sleep 1000'))\n"
        "record([command], Options(), lambda f, _: print(f.pid, flush=True))\n"
    )
    recorder = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    pids = set()
    for line in recorder.stdout:
        pids.add(int(line))
        if len(pids) == 3:
            break
    recorder.kill()
    recorder.wait()
    recorder.stdout.close()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "programs outlive their recorder"


def _alive(pid: int) -> bool:
    try:
        return proc.read_stat(pid).state not in "ZX"
    except LabError:
        return False


# --- against whole looks ------------------------------------------------------------------------------

CHATTER = """
import os
r, w = os.pipe()
for word in (b"one", b"two" * 30, b"one", b"", b"three"):
    os.write(w, word)
    os.read(r, 2)
while os.get_blocking(r):
    os.read(r, 40)
    os.set_blocking(r, False)
os.write(w, b"x" * 5000)
os.read(r, 4090)
again, more = os.pipe()
for _ in range(3):
    os.write(more, b"again"); os.read(again, 5)
if os.fork() == 0:
    os.write(w, b"child"); os._exit(0)
os.read(r, 9)
os.wait()
os.read(r, 9)
"""


@pytest.mark.parametrize(
    ("program", "some_are_computed"),
    [
        (HELLO, False),
        (python(CHATTER), True),
        (c("pipecalls", "5"), True),
        (c("shmrace"), False),
        (c("semaphores", "together", "3"), False),
    ],
    ids=["hello", "chatter", "pipe calls", "shared memory", "semaphores"],
)
def test_every_scene_is_what_a_whole_look_shows(program, some_are_computed, monkeypatch):
    computed = []
    shortcut = Shortcut.after_call

    def checked(self: Shortcut, *arguments):
        computed.append(shortcut(self, *arguments))
        return computed[-1]

    def seen(frame, scene):
        assert scene == camera.look(), frame.text

    monkeypatch.setattr(Shortcut, "after_call", checked)
    camera = Camera([program], Options(), seen)
    film = camera.record()
    assert len(film.frames) > 5
    assert any(computed) == some_are_computed


# --- against strace -----------------------------------------------------------------------------------

COMMANDS = [
    "true",
    "ls / | sort | head -1",
    "tar cf - /etc/hostname 2>/dev/null | gzip | wc -c",
    "echo hi > /dev/null; cat /etc/passwd | grep root | cut -d: -f1",
    "sleep 0.1 & wait",
    "trap 'echo got' USR1; kill -USR1 $$; echo done",
    "(exit 3); echo $?",
    "seq 3 | cat",
    "seq 5 | while read x; do echo $x; done",
    "kill -9 $$",
    "find /etc/hostname -exec echo {} \\;",
    "sort -R </dev/null; timeout 1 sleep 0.05",
    "cat /etc/hostname > /dev/null && ! test -e /nowhere",
    "find /etc -maxdepth 1 -name host* | wc -l",
    "echo x | tr x y",
    "expr 1 + 2; printf %s done",
    "cp /etc/hostname /dev/null; od -c /etc/hostname | tail -1",
    "awk 'BEGIN { print 1 | \"cat\" }'",
    "sed -n 1p /etc/passwd | tr a-z A-Z",
    "sh -c 'sh -c \"exit 4\"'; echo $?",
    "nice true; env true; nohup true >/dev/null 2>&1",
]
PROGRAMS = [
    *map(shell, COMMANDS),
    c("race", "2", "2"),
    c("race", "2", "1", "sysv"),
    c("race", "1", "2", "posix"),
    c("race", "1", "1", "flock"),
    c("shmrace"),
    c("semaphores", "together", "3"),
    c("pipecalls", "3"),
    c("wakeup", "safe"),
    python(
        "import os\nr, w = os.pipe()\n"
        "if os.fork() == 0: os._exit(os.write(w, b'x'))\n"
        "os.read(r, 1); os.wait()"
    ),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: " ".join(p.argv[1:])[-60:])
def test_a_film_of_all_calls_agrees_with_strace(program: Command):
    told, seen = strace.traced(program.argv), strace.of_film(filmed(program, all_calls=True, scenes=False))
    assert {path for path in seen if _calls(seen[path])} == {path for path in told if _calls(told[path])}
    for path in told:
        assert _calls(seen.get(path, [])) == _calls(told[path])


def _calls(story: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """Less beginning, ends and interrupted calls, which strace and a film tell in other words."""
    without = [row for row in story if row[0] not in ("exit", "exit_group") and row[1] != -errno.EINTR]
    return without[1:] if without[:1] and without[0][0] == "execve" else without


def test_thirty_programs_are_compared():
    assert len(PROGRAMS) == 30


# --- against nobody watching --------------------------------------------------------------------------

ALONE = [
    "trap 'echo int' INT; kill -INT $$; echo on",
    "sleep 5 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?",
    "echo a | cat; false; echo $?",
    "kill -SEGV $$",
    "exec sh -c 'exit 7'",
    "cat <<end | rev\nabc\nend\n",
]


@pytest.mark.parametrize("source", ALONE)
def test_watched_and_unwatched_programs_do_the_same(source):
    alone = subprocess.run(
        ["/bin/sh", "-c", source], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    film = filmed(shell(source), scenes=False)
    assert "".join(p.text for p in film.output if p.stream == "stdout").encode() == alone.stdout
    assert film.exits[0].exit == alone.returncode


WAITING = """
import os, signal, time
child = os.fork()
if child == 0:
    signal.pause()
    os._exit(5)
print(os.waitpid(child, os.WNOHANG))
os.kill(child, signal.SIGSTOP)
print(os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]))
os.kill(child, signal.SIGCONT)
print(os.WIFCONTINUED(os.waitpid(child, os.WCONTINUED)[1]))
os.kill(child, signal.SIGTERM)
info = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print(info.si_status, os.WTERMSIG(os.waitpid(child, 0)[1]))
try: os.wait()
except ChildProcessError as error: print(error)
"""
INTERRUPTED = """
import os, sysv_ipc, signal
s = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX)
if os.fork() == 0: os._exit(0)
if os.fork() == 0:
    os.sched_yield(); s.release(); os._exit(0)
s.acquire()
s.remove()
print('not interrupted by children that end')
os.wait(); os.wait()
"""
EXECUTES = """
import os, threading
threading.Thread(target=os.execv, args=('/bin/echo', ['echo', 'from a thread'])).start()
threading.Event().wait()
"""


@pytest.mark.parametrize(
    "source", [WAITING, INTERRUPTED, EXECUTES], ids=["waitpid", "SIGCHLD", "exec in a thread"]
)
def test_python_programs_do_the_same_watched_and_unwatched(source):
    program = python(source)
    alone = subprocess.run(program.argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    film = filmed(program)
    assert "".join(p.text for p in film.output) == (alone.stdout + alone.stderr).decode()
    assert film.exits[0].exit == alone.returncode


def test_compiled_is_what_it_says():
    assert os.access(compiled("race"), os.X_OK)
    assert json.loads(json.dumps(filmed(c("race", "1", "1")).to_dict()))["version"] == 1


def test_it_works_in_a_folder_of_the_programs_own(tmp_path: Path):
    film = filmed(Command(("/bin/pwd",), cwd=str(tmp_path)))
    assert "".join(p.text for p in film.output).strip() == str(tmp_path)


def test_looking_for_labkit_and_the_scratch_folder_make_no_difference_from_user_to_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LABKIT_SCRATCH", str(tmp_path))
    source = "import labkit, os\nos.mkfifo(labkit.path('way'))\nos.unlink(labkit.path('way'))"
    said = filmed(python(source)).text()
    assert '"…/way"' in said
    assert str(tmp_path) not in said
    assert "labkit" not in said


OWN_LINES = """
import os
r, w = os.pipe()
os.write(w, b"hi")
open(__file__).close()
"""


@pytest.mark.parametrize("interpreter", [sys.executable, "/usr/bin/python3"])
@pytest.mark.parametrize("given", ["script.py", "./script.py", "script", "{}/script.py", "{}/script"])
def test_reading_a_script_is_its_interpreters_doing(tmp_path: Path, given: str, interpreter: str):
    if not os.path.exists(interpreter):
        pytest.skip(f"there is no {interpreter}")
    for name in ("script", "script.py"):
        (tmp_path / name).write_text(OWN_LINES)
    film = filmed(Command((interpreter, given.format(tmp_path)), cwd=str(tmp_path)))
    told = [frame.call for frame in film.frames]
    assert told[:2] == ["pipe2", "write"], film.text()
    if not given.endswith(".py"):  # what ends so might be a module
        assert film.text().count("open(") == 1, film.text()
