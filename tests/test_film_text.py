"""What a film says, word for word: calls, signals and waits, and nothing that is not the program's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from stage import c, compiled, filmed, python, shell

from labkit.programs import Command

THREAD = "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM"
WORDS = f"""\
epoll_create1() = 3
eventfd(2) = 4
pipe([5, 6]) = 0
epoll_ctl(3, EPOLL_CTL_ADD, 4, EPOLLIN|EPOLLET) = 0
epoll_wait(3, 1, no limit) = 1 [4: EPOLLIN]
epoll_ctl(3, EPOLL_CTL_DEL, 4) = 0
poll([4: POLLIN|POLLOUT, 99: POLLIN], no limit) = 2 [4: POLLIN|POLLOUT, 99: POLLNVAL]
poll([], 1 ms) … waits
poll([], 1 ms) = 0 (the time is over)
select(7, {{5}}, {{6}}, NULL, 1 s) = 1 {{}}, {{6}}
read(4) = 8 (the number 2)
write(4, the number 7, 8) = 8
timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) = 7
timerfd_settime(7, after 1 ns) = 0
read(7) = 8 (1 expiration)
timerfd_settime(7, off) = 0
open("/dev/urandom", O_RDONLY) = 8
read(8) = 4 (random)
read(5) = 0
fcntl(8, F_GETLK, F_WRLCK, bytes 5 to 14) = 0 (nobody has such a lock)
close(-7) = -1 EBADF (Bad file descriptor)
says: close: Bad file descriptor
socketpair(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, [9, 10]) = 0
send(9, "hello", 5, MSG_NOSIGNAL) = 5
send(9, "", 0) = 0
recv(10, MSG_TRUNC) = 5 b'he'
recv(10) = 0 (an empty message)
setsockopt(10, SO_PASSCRED, 1) = 0
getsockopt(10, SO_ERROR) = 0 (no error)
send(9, "who", 3) = 3
recvmsg(10, "who", with credentials of parent) = 3
bind(9, @labkit-words) = 0
msgget(IPC_PRIVATE, 0600) = msg-1
msgsnd(msg-1, type 3, "three\\0", 6) = 0
msgrcv(msg-1, 6, any type) = 6 type 3, b'three\\0'
msgctl(msg-1, IPC_RMID) = 0
mq_open("/labkit-words", O_RDWR|O_CREAT|O_EXCL, 0600, 2 messages of 32 bytes) = 11
mq_notify(11, SIGURG) = 0
mq_send(11, "first", 5, 9) = 0
mq_receive(11) = 5 b'first', priority 9
mq_unlink("/labkit-words") = 0
semget(IPC_PRIVATE, 3, 0600) = sem-1
semctl(sem-1, 0, SETALL, [1, 0, 2]) = 0
semop(sem-1, [0: -1 SEM_UNDO, 1: wait for 0 IPC_NOWAIT]) = 0
semctl(sem-1, 0, GETALL) = 0 [0, 0, 2]
semctl(sem-1, 0, IPC_RMID) = 0
open("/dev/shm/sem.random-1", O_RDWR|O_CREAT|O_EXCL, 0600) = 12
write(12, a semaphore with value 4, 32) = 32
mmap(NULL, 32, PROT_READ|PROT_WRITE, MAP_SHARED, 12) = sem /random-1
link("/dev/shm/sem.random-1", "/dev/shm/sem.labkit-words") = 0
unlink("/dev/shm/sem.random-1") = 0
close(12) = 0
unlink("/dev/shm/sem.labkit-words") = 0
munmap(sem /labkit-words, 32) = 0
clone({THREAD}) = parent (thread 2)
futex(address-1, FUTEX_WAIT, parent (thread 2)) … waits
parent (thread 2): ends
futex(address-1, FUTEX_WAIT, parent (thread 2)) = 0
fork() = child
waitid(any child, WEXITED) … waits
child: tgkill(child, child, SIGKILL)
child: is ended by SIGKILL
waitid(any child, WEXITED) = 0 (child, ended by SIGKILL)
waitid(any child, WEXITED|__WALL) = -1 ECHILD (No child processes)
sigaction(SIGUSR1, a handler, SA_RESTART) = 0
sigqueue(parent, SIGUSR1, 42) = 0
gets SIGUSR1 from itself with value 42, handler runs
setrlimit(RLIMIT_CORE, 0) = 0
execve("/usr/bin/labkit-is-nowhere", ["labkit-is-nowhere"]) = -1 ENOENT (No such file or directory)
execve("/nowhere/labkit-is-nowhere", ["labkit-is-nowhere"]) = -1 ENOENT (No such file or directory)
memfd_create("one page") = 12
mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED, 12) = memfd one page
clock_nanosleep(CLOCK_REALTIME, 1 µs) … waits
clock_nanosleep(CLOCK_REALTIME, 1 µs) = 0
gets SIGBUS at memfd one page + 5000, which ends it
is ended by SIGBUS"""


def test_calls_are_written_as_a_teacher_would():
    film = filmed(Command((compiled("words"),), env={"PATH": "/usr/bin:/nowhere"}))
    said = [line.removeprefix("parent: ").removeprefix("parent ") for line in film.told().splitlines()]
    said = [line if not line.startswith("(thread") else f"parent {line}" for line in said]
    assert said == WORDS.splitlines()
    assert film.left_behind == ()


SCENES = {
    "nested": """\
parent: read(3) … waits
parent: gets SIGUSR1 from child, handler runs
parent: clock_nanosleep(CLOCK_REALTIME, 20 s) … waits
parent: gets SIGUSR2 from child, handler runs
parent: clock_nanosleep(CLOCK_REALTIME, 20 s) = -1 EINTR (Interrupted system call)
parent: read(3) = -1 EINTR (Interrupted system call)
parent: read(3) … waits
parent: gets SIGALRM from child, handler runs
parent: sigprocmask(SIG_SETMASK, []) = 0
parent: clock_nanosleep(CLOCK_REALTIME, 20 s) … waits
parent: gets SIGUSR2 from child, handler runs
parent: clock_nanosleep(CLOCK_REALTIME, 20 s) = -1 EINTR (Interrupted system call)
parent: wait4(any child) = child
parent: exits 0""",
    "child": """\
parent: pause() … waits
child: clock_nanosleep(CLOCK_REALTIME, 0.005 s) … waits
child: clock_nanosleep(CLOCK_REALTIME, 0.005 s) = 0
child: exits 0
parent: gets SIGCHLD from child, handler runs
parent: wait4(any child, WNOHANG) = child
parent: wait4(any child, WNOHANG) = -1 ECHILD (No child processes)
parent: pause() = -1 EINTR (Interrupted system call)
parent: exits 0""",
    "stopped": """\
parent: kill(child, SIGSTOP) = 0
child: gets SIGSTOP from parent, and stops
parent: wait4(child, WUNTRACED) = child, stopped by SIGSTOP
parent: kill(child, SIGCONT) = 0
child: gets SIGCONT from parent, and goes on
child: semop(sem-1, [0: -1]) = -1 EINTR (Interrupted system call)
parent: wait4(child) … waits
child: exits 4
parent: wait4(child) = child, exited 4
parent: semctl(sem-1, 0, IPC_RMID) = 0
parent: exits 0""",
    "timer": """\
parent: timer_create(CLOCK_MONOTONIC, SIGALRM) = 0
parent: timer_settime(0, after 0.1 s) = 0
parent: pause() … waits
child: clock_nanosleep(CLOCK_REALTIME, 20 s) … waits
parent: gets SIGALRM, handler runs
parent: pause() = -1 EINTR (Interrupted system call)
parent: kill(child, SIGKILL) = 0
child: is ended by SIGKILL
parent: wait4(any child) = child
parent: exits 0""",
    "executes": """\
parent (thread 2): write(4, "x", 1) = 1
parent (thread 2): execve("/bin/true", ["true"]) = 0
parent: exits 0""",
    "leader": """\
parent: ends
parent (thread 2): clock_nanosleep(CLOCK_REALTIME, 0.01 s) … waits
parent (thread 2): clock_nanosleep(CLOCK_REALTIME, 0.01 s) = 0
parent (thread 2): write(4, "x", 1) = 1
parent: exits 0""",
}


@pytest.mark.parametrize("scene", SCENES)
def test_handlers_stops_and_ends_are_told_where_they_come(scene: str):
    film = filmed(c("signals", scene), seconds=20)
    expected = SCENES[scene].splitlines()
    told = [line for line in film.text().splitlines() if scene != "nested" or not line.startswith("child")]
    assert told[-len(expected) :] == expected
    alone = subprocess.run([compiled("signals"), scene], check=False, timeout=20)
    assert film.exits[0].exit == alone.returncode


def test_one_thread_runs_at_a_time_also_when_many_are_woken_at_once():
    films = [filmed(c("barrier"), scenes=False).told() for _ in range(5)]
    assert films == [films[0]] * 5


def test_a_sleep_is_not_waited_for_when_something_else_comes_first():
    film = filmed(shell("timeout 0.2 sleep 30; echo $?"), seconds=20)
    assert "".join(piece.text for piece in film.output) == "124\n"
    assert "child 2: is ended by SIGTERM" in film.text()


# --- what is not the program's own ---------------------------------------------------------------------

IMPORTS = "import asyncio, hashlib, multiprocessing, selectors, socket, ssl, subprocess, posix_ipc, sysv_ipc"
OWN_EPOLL = "import selectors, select\nselect.epoll().close()"
SPAWNS = "import os\nos.waitpid(os.posix_spawnp('true', ['true'], {}), 0)"
THREADS = "import threading\nthreading.Thread(target=print).start()"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (IMPORTS, []),
        (OWN_EPOLL, ["parent: epoll_create1(EPOLL_CLOEXEC) = 3", "parent: close(3) = 0"]),
        (
            SPAWNS,
            [
                "parent: vfork() … waits",
                'child: execve("/usr/bin/true", ["true"]) = 0',
                "parent: vfork() = child",
                "child: exits 0",
                "parent: wait4(child) = child, exited 0",
            ],
        ),
        (THREADS, [f"parent: clone({THREAD}) = parent (thread 2)", "parent (thread 2): ends"]),
    ],
    ids=["imports", "own epoll", "posix_spawn", "threads"],
)
def test_what_libraries_do_for_themselves_makes_no_frame(source, said, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere:/usr/local/bin:/usr/bin:/bin")
    told = filmed(python(source), scenes=False).text().splitlines()
    assert [line for line in told if line != "parent: exits 0"] == said


def test_no_line_differs_from_run_to_run_by_a_name_made_up_at_random():
    source = (
        "import multiprocessing, os, tempfile, posix_ipc\n"
        "from multiprocessing import shared_memory\n"
        "posix_ipc.Semaphore('/labkit-random', posix_ipc.O_CREX, initial_value=1).unlink()\n"
        "memory = shared_memory.SharedMemory(create=True, size=9)\n"
        "queue = multiprocessing.get_context('fork').SimpleQueue()\n"
        "memory.close(); memory.unlink()\n"
        "with tempfile.NamedTemporaryFile(): pass\n"
        "with tempfile.TemporaryFile() as file: file.truncate(9); __import__('mmap').mmap(file.fileno(), 9)\n"
    )
    first, second = (filmed(python(source), scenes=False).text() for _ in range(2))
    assert first == second
    assert "random-1" in first


def test_only_what_somebody_could_continue_is_stopped_from_a_terminal():
    source = (
        "import os, signal\nos.kill(os.getpid(), signal.SIGTSTP)\n"
        "if not (pid := os.fork()): os.setpgid(0, 0); os.kill(os.getpid(), signal.SIGTSTP); os._exit(0)\n"
        "os.waitpid(pid, os.WUNTRACED); os.kill(pid, signal.SIGCONT); os.waitpid(pid, 0)\n"
    )
    text = filmed(python(source), scenes=False).text()
    assert re.findall("(.*), and stops", text) == ["child: gets SIGTSTP from itself"]


def gains_rights(folder: Path) -> str:
    """A program that executes, as somebody else, where nobody records it."""
    if os.geteuid() != 0:
        return "/usr/bin/su"
    shutil.copy("/bin/true", folder)
    os.chown(folder / "true", 65534, 65534)
    (folder / "true").chmod(0o4755)
    return str(folder / "true")


LIBC = "import ctypes, struct; libc = ctypes.CDLL(None); libc.prctl(38, 1, 0, 0, 0)\n"
FILTERS = (
    "code = struct.pack('=HBBI', 6, 0, 0, 0x7fff0000)\n"
    "libc.prctl(22, 2, struct.pack('@HP', 1, ctypes.cast(code, ctypes.c_void_p).value))\n"
)


def test_what_being_recorded_hides_or_changes_is_told(tmp_path):
    suid = gains_rights(tmp_path)
    for command, hears in (
        (shell("setpriv --no-new-privs true"), ""),
        (python(LIBC + FILTERS), "filters its calls"),
        (python(LIBC + "libc.ptrace(0, 0, 0, 0)"), "tracer at a time"),
        (shell(f"exec {suid} --version"), f"{suid} would gain rights by its set-user-id bit"),
    ):
        told = [limit.because for limit in filmed(command, scenes=False).limits if limit.what != "the order"]
        assert hears in "".join(told), told
        assert len(told) == bool(hears)
