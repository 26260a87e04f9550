"""What a sleeping thread waits for, in words: every call against a real program that sleeps in it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.subjects import picture, subject, until

from labkit.kernel import blocked, numbers
from labkit.scene import Blocked, Process, Scene
from labkit.xray import XRay, xray

END_OF_GRANDCHILDREN = """
grandchildren = open(f"/proc/{children[0]}/task/{children[0]}/children").read().split()
for pid in grandchildren:
    os.kill(int(pid), signal.SIGKILL)
if grandchildren:
    os.waitpid(children.pop(), 0)
"""


def sleeper(scene: Scene) -> Process:
    """The child of the subject."""
    return scene.processes[1]


def placed(process: Process, fd: int | None) -> str:
    """The object that this descriptor is open on; it must have one."""
    (found,) = [held.object for held in process.descriptors or () if held.fd == fd]
    assert found is not None
    return found


def asleep_in(work: str, call: str, before: str = "") -> tuple[Blocked, Process, Scene]:
    """What is said of a child that does `work`, once it sleeps in `call`."""
    source = f"{before}\ndef work():\n    {work}\nchild(work)\nready()\n{END_OF_GRANDCHILDREN}"
    with subject(source) as program:
        camera = XRay()
        scene = until(lambda: camera.look(program.pid), lambda scene: _call(scene) == call)
    process = sleeper(scene)
    assert process.blocked is not None
    return process.blocked, process, scene


def _call(scene: Scene) -> str | None:
    said = scene.processes[1].blocked if len(scene.processes) > 1 else None
    return said.call if said else None


TIMED_PAIR = """a, b = socket.socketpair()
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))"""
LOCKED_FILE = """import tempfile
f = tempfile.TemporaryFile()
g = os.open(f'/proc/self/fd/{f.fileno()}', os.O_RDWR)
fcntl.flock(f, fcntl.LOCK_EX)
fcntl.lockf(f, fcntl.LOCK_EX)"""
FULL_PIPE = """r, w = os.pipe()
os.write(w, bytes(65536))"""
PIPE = "r, w = os.pipe()"
PAIR = "a, b = socket.socketpair()"

CALLS = [
    (PIPE, "os.read(r, 1)", "read", False),
    (FULL_PIPE, "os.write(w, b'x')", "write", False),
    (PIPE, "os.readv(r, [bytearray(9)])", "readv", False),
    (PAIR, "a.recv(1)", "recv", False),
    (TIMED_PAIR, "a.recv(1)", "recv", True),
    (PAIR, "a.recvmsg(1)", "recvmsg", False),
    ("a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)", "a.recvfrom(9)", "recvfrom", False),
    ("s = socket.create_server(('127.0.0.1', 0))", "s.accept()", "accept", False),
    ("", "time.sleep(60)", "clock_nanosleep", True),
    ("", "libc.usleep(60_000_000)", "nanosleep", True),
    ("", "signal.pause()", "pause", False),
    ("", "signal.sigwait([signal.SIGUSR1])", "sigwait", False),
    ("", "signal.sigtimedwait([signal.SIGUSR1], 60)", "sigtimedwait", True),
    ("def pausing(): signal.pause()", "os.waitpid(child(pausing), 0)", "wait4", False),
    ("def pausing(): signal.pause()", "child(pausing), os.waitid(os.P_ALL, 0, os.WEXITED)", "waitid", False),
    (PIPE, "select.select([r], [], [])", "select", False),
    (PIPE, "select.select([r], [], [], 60)", "select", True),
    (PIPE + "\np = select.poll()\np.register(r, select.POLLIN)", "p.poll()", "poll", False),
    (PIPE + "\np = select.poll()\np.register(r, select.POLLIN)", "p.poll(60_000)", "poll", True),
    (PIPE + "\np = select.epoll()\np.register(r, select.EPOLLIN)", "p.poll()", "epoll_wait", False),
    (PIPE + "\np = select.epoll()\np.register(r, select.EPOLLIN)", "p.poll(60)", "epoll_wait", True),
    (LOCKED_FILE, "fcntl.flock(g, fcntl.LOCK_EX)", "flock", False),
    (LOCKED_FILE, "fcntl.lockf(f, fcntl.LOCK_EX)", "fcntl", False),
    ("l = threading.Lock()\nl.acquire()", "l.acquire()", "futex", False),
    ("l = threading.Lock()\nl.acquire()", "l.acquire(timeout=60)", "futex", True),
]  # fmt: skip


@pytest.mark.parametrize(("before", "work", "call", "timed"), CALLS, ids=lambda value: str(value)[:24])
def test_a_sleeping_call_is_named_as_it_was_written(before: str, work: str, call: str, timed: bool) -> None:
    before = "import time\n" + before
    source = "\n".join(before.splitlines())
    said, process, _ = asleep_in(work, call, source)
    # time.sleep and an endless child of a waiting child are asleep too; the one asked for is the first
    assert said.timed is timed
    assert process.state == "sleeping"


def test_a_read_says_its_descriptor_and_object() -> None:
    said, _, scene = asleep_in("os.read(r, 1)", "read", PIPE)
    pipe = next(thing for thing in scene.objects if thing.id == said.object)
    assert pipe.kind == "pipe"
    assert any(end.fd == said.fd for end in pipe.readers)  # type: ignore[union-attr]


def test_poll_and_select_say_what_is_in_their_sets() -> None:
    before = """
r, w = os.pipe(); r2, w2 = os.pipe(); r3, w3 = os.pipe()
p = select.poll()
p.register(r, select.POLLIN)
p.register(w2, select.POLLPRI | select.POLLIN)
p.register(r3, select.POLLOUT)
"""
    said, process, _ = asleep_in("p.poll()", "poll", before)
    assert [one.events for one in said.on] == ["readable", "readable urgent", "writable"]
    assert [one.object for one in said.on] == [placed(process, one.fd) for one in said.on]

    said, process, _ = asleep_in("select.select([r, r2], [], [r])", "select", before)
    assert [one.events for one in said.on] == ["readable exceptional", "readable"]
    assert [one.object for one in said.on] == [placed(process, one.fd) for one in said.on]


def test_epoll_says_what_it_watches() -> None:
    before = "r, w = os.pipe(); p = select.epoll(); p.register(r, select.EPOLLIN)"
    said, process, _ = asleep_in("p.poll()", "epoll_wait", before)
    assert [one.events for one in said.on] == ["readable"]
    assert said.on[0].object == placed(process, said.on[0].fd)
    assert said.object == placed(process, said.fd)


@pytest.mark.parametrize("which", ["pid", "any", "group", "pidfd"])
def test_a_wait_says_which_children_could_end_it(which: str) -> None:
    calls = {
        "pid": "os.waitpid(two, 0)",
        "any": "os.waitpid(-1, 0)",
        "group": "os.waitpid(0, 0)",
        "pidfd": "os.waitid(os.P_PIDFD, os.pidfd_open(two), os.WEXITED)",
    }
    source = (
        f"""
def work():
    one = child(signal.pause)
    def apart():
        os.setsid()
        signal.pause()
    two = child(apart)
    while os.getpgid(two) != two: pass
    {calls[which]}
    os.waitid(os.P_ALL, 0, os.WEXITED)
child(work)
ready()
"""
        + END_OF_GRANDCHILDREN
    )
    with subject(source) as program:
        scene = picture(program.pid, "waitid" if which == "pidfd" else "wait4", "pause", "pause")
    _, waiter, one, two = scene.processes
    assert waiter.blocked is not None
    assert (one.ppid, two.ppid) == (waiter.pid, waiter.pid)
    expected = {"pid": {two.pid}, "any": {one.pid, two.pid}, "group": {one.pid}, "pidfd": {two.pid}}
    assert set(waiter.blocked.children or ()) == expected[which]


def _all_asleep(scene: Scene) -> bool:
    threads = scene.processes[0].threads
    return len(threads) == 2 and all(thread.blocked is not None for thread in threads)


def test_threads_are_listed_each_with_what_it_sleeps_in() -> None:
    source = """
r, w = os.pipe()
threading.Thread(target=os.read, args=(r, 1), daemon=True).start()
ready()
os.write(w, b"x")
"""
    with subject(source) as program:
        camera = XRay()
        scene = until(lambda: camera.look(program.pid), _all_asleep)
        main, other = scene.processes[0].threads
    assert main.tid == scene.processes[0].pid
    assert other.blocked is not None
    assert (other.state, other.blocked.call, other.blocked.object is not None) == ("sleeping", "read", True)


def test_a_thread_with_a_table_of_its_own_is_not_said_to_wait_for_what_its_process_has_open() -> None:
    source = """
r, w = os.pipe()
def work():
    assert libc.unshare(0x400) == 0
    os.dup2(a.fileno(), r)
    os.read(r, 1)
a, b = socket.socketpair()
threading.Thread(target=work, daemon=True).start()
ready(r=r)
b.send(b"x")
"""
    with subject(source) as program:
        camera = XRay()
        scene = until(lambda: camera.look(program.pid), _all_asleep)
        (other,) = [t.blocked for t in scene.processes[0].threads if t.tid != program.pid]
    assert other is not None
    assert (other.call, other.fd, other.object, other.timed) == ("read", program.facts["r"], None, None)


C_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
    const char *call = words[1];
    int ends[2];
    char text[16];
    if (pipe(ends) < 0 || count < 2)
        return 1;
    if (!strcmp(call, "semop") || !strcmp(call, "semtimedop")) {
        int set = semget(IPC_PRIVATE, 3, 0600);
        struct sembuf wish[2] = {{1, 2, 0}, {2, -3, SEM_UNDO}};
        struct timespec limit = {60, 0};
        printf("%d\n", set), fflush(stdout);
        call[3] == 'o' ? semop(set, wish, 2) : semtimedop(set, wish, 2, &limit);
        semctl(set, 0, IPC_RMID);
    } else if (!strcmp(call, "msgrcv") || !strcmp(call, "msgsnd")) {
        int queue = msgget(IPC_PRIVATE, 0600);
        struct { long type; char body[8000]; } message = {1, ""};
        printf("%d\n", queue), fflush(stdout);
        if (call[3] == 'r')
            msgrcv(queue, &message, 8, 0, 0);
        else
            for (int i = 0; i < 9; i++)
                if (msgsnd(queue, &message, 8000, 0) < 0)
                    break;
        msgctl(queue, IPC_RMID, NULL);
    } else if (!strcmp(call, "vfork")) {
        printf("0\n"), fflush(stdout);
        if (vfork() == 0) {
            if (read(ends[0], text, 1) >= 0)
                _exit(0);
            _exit(1);
        }
        wait(NULL);
    } else {
        fd_set set;
        sigset_t none;
        sigemptyset(&none);
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        struct pollfd one = {ends[0], POLLIN, 0};
        printf("%d\n", ends[0]), fflush(stdout);
        if (!strcmp(call, "pselect"))
            pselect(ends[0] + 1, &set, NULL, NULL, NULL, &none);
        else if (!strcmp(call, "ppoll"))
            ppoll(&one, 1, NULL, &none);
        else if (!strcmp(call, "open"))
            open(words[2], O_RDONLY);
        else if (!strcmp(call, "preadv2"))
            preadv2(ends[0], &(struct iovec){text, 1}, 1, -1, 0);
        else
            sigsuspend(&none);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "blocked.c").write_text(C_SOURCE)
    subprocess.run(["gcc", "-Wall", "-o", folder / "blocked", folder / "blocked.c", "-lrt"], check=True)
    return str(folder / "blocked")


@pytest.mark.parametrize(
    ("call", "timed"),
    [("semop", False), ("semtimedop", True), ("msgrcv", False), ("msgsnd", False), ("pselect", False),
     ("ppoll", False), ("sigsuspend", False), ("vfork", False), ("preadv2", False)],
)  # fmt: skip
def test_c_programs(c_program: str, call: str, timed: bool) -> None:
    with subprocess.Popen([c_program, call], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        try:
            said = picture(process.pid, call).processes[0].blocked
        finally:
            remove(call, number)
            for pid in children(process.pid) or [process.pid]:
                os.kill(pid, signal.SIGKILL)
    assert said is not None
    assert (said.call, said.timed) == (call, timed)
    if call.startswith("sem"):
        assert said.operations == ((1, 2), (2, -3))
        assert said.object is not None
        assert said.object.startswith("sysv-sem-")
    if call in ("pselect", "ppoll"):
        assert [(one.fd, one.events) for one in said.on] == [(number, "readable")]
    if call == "preadv2":
        assert (said.fd, said.object is not None) == (number, True)


WAITV = """
words = (ctypes.c_uint * 1)()
one = struct.pack("QQII", 0, ctypes.addressof(words), 2, 0)
if libc.syscall(449, one, 1, 0, ctypes.c_void_p(1), 0) < 0 and ctypes.get_errno() == 38:
    ready(is_known=False)
child(lambda: libc.syscall(449, one, 1, 0, None, 0))
ready(is_known=True)
"""


def test_of_a_wait_for_several_words_nothing_is_claimed() -> None:
    """They may lie in any memory, also in some that is shared."""
    with subject(WAITV) as program:
        if not program.facts["is_known"]:
            pytest.skip("this kernel has no futex_waitv")
        scene = picture(program.pid, "futex_waitv")
        assert scene.processes[1].blocked.object is None  # type: ignore[union-attr]
        assert XRay().look(program.pid).deadlocks == ()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def remove(call: str, number: int) -> None:
    """Take the System V object away, since its program is killed."""
    option = {"sem": "-s", "msg": "-q"}.get(call[:3])
    if option:
        subprocess.run(["ipcrm", option, str(number)], check=True)


def test_an_open_that_waits_for_the_other_end_says_which_fifo(c_program: str, tmp_path: Path) -> None:
    fifo = tmp_path / "a fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([c_program, "open", "a fifo"], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        scene = picture(process.pid, "open")
        said = scene.processes[0].blocked
        os.close(os.open(fifo, os.O_WRONLY))
    assert said is not None
    assert said.timed is False
    thing = scene.object(said.object)
    assert thing is not None
    assert (thing.kind, thing.path) == ("fifo", str(fifo))  # type: ignore[union-attr]


def test_since_grows_while_it_sleeps_and_begins_anew_with_the_next_sleep() -> None:
    source = """
r, w = os.pipe()
child(lambda: (os.read(r, 1), os.read(r, 1)))
ready()
os.write(w, b"x")
ready()
"""
    with subject(source) as program:
        xray = XRay()

        def since() -> int:
            process = xray.look(program.pid).processes[1]
            return (process.blocked.since_ns if process.blocked else None) or 0

        first = until(since, lambda ns: ns > 50_000_000)
        assert until(since, lambda ns: ns > first) > first
        begun = time.monotonic_ns()
        program.go()
        program.said()
        anew = until(lambda: (since(), time.monotonic_ns() - begun), lambda pair: 0 < pair[0] <= pair[1])
        assert anew[0] <= anew[1]
        program.go()


@given(
    st.sampled_from(sorted(numbers.NUMBERS["x86_64"])),
    st.tuples(*[st.integers(0, 2**64 - 1)] * 6),
    st.binary(max_size=64),
)
def test_no_arguments_are_too_strange(call: str, arguments: tuple[int, ...], memory: bytes) -> None:
    def read(address: int, size: int) -> bytes | None:
        return memory[:size] if len(memory) >= size else None

    found = blocked.waiting(call, arguments, read)
    assert found.call
    assert found.fd is None or -(2**31) <= found.fd < 2**31


def test_a_first_look_knows_how_long_it_has_slept_already() -> None:
    source = "r, w = os.pipe()\nchild(lambda: os.read(r, 1))\nready()"
    before = time.monotonic_ns()
    with subject(source) as program:
        with XRay() as camera:
            until(lambda: camera.look(program.pid), lambda scene: _call(scene) == "read")
            begun = time.monotonic_ns()
            until(time.monotonic_ns, lambda now: now > begun + 300_000_000)
        said = xray(program.pid).processes[1].blocked
        now = time.monotonic_ns()
    assert said is not None
    assert said.since_ns is not None
    assert 200_000_000 < said.since_ns < now - before
