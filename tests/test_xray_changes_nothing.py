"""Looking changes nothing: whoever is looked at gets every byte, every end of file and every EPIPE."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from kernel.subjects import one, picture, subject

from labkit.xray import XRay

LOOKS_A_SECOND = 30
ROUNDS = 10_000

C_SOURCE = r"""
/* ends eof|epipe|full ROUNDS: counts the ends that did not come. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[100000];

/* The reader blocks until all writers are gone. */
static int eof(void)
{
    int data[2], status;
    if (pipe(data) < 0)
        exit(2);
    if (fork() == 0) {
        long all = 0, count;
        close(data[1]);
        while ((count = read(data[0], text, 4)) > 0)
            all += count;
        _exit(count == 0 && all == 10 ? 0 : 1);
    }
    close(data[0]);
    if (write(data[1], "0123456789", 10) != 10)
        exit(2);
    close(data[1]);
    wait(&status);
    return status != 0;
}

/* The reader leaves bytes in the pipe and closes it; then the writer writes again, or blocks already. */
static int epipe(size_t size)
{
    int data[2], closed[2], status;
    if (pipe(data) < 0 || pipe(closed) < 0)
        exit(2);
    if (fork() == 0) {
        close(data[1]);
        if (read(data[0], text, 1) != 1)
            _exit(1);
        close(data[0]);
        _exit(write(closed[1], "c", 1) != 1);
    }
    close(data[0]);
    close(closed[1]);
    ssize_t done = write(data[1], text, size);
    if (size < 100 && (done != (ssize_t)size || read(closed[0], text, 1) != 1))
        exit(2);
    errno = 0;
    int lost = write(data[1], text, 1) != -1 || errno != EPIPE;
    close(data[1]);
    close(closed[0]);
    wait(&status);
    return lost || status != 0;
}

int main(int count, char **words)
{
    int lost = 0;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; count > 2 && i < atoi(words[2]); i++)
        lost += !strcmp(words[1], "eof") ? eof() : epipe(!strcmp(words[1], "full") ? sizeof text : 10);
    printf("%d\n", lost);
    return 0;
}
"""


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("ends")
    (folder / "ends.c").write_text(C_SOURCE)
    subprocess.run(["gcc", "-O1", "-Wall", "-o", folder / "ends", folder / "ends.c"], check=True)
    return str(folder / "ends")


class Watcher:
    """Looks at a program thirty times a second, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        self.looks = 0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        with XRay() as camera:
            while not self._stop.wait(1 / LOOKS_A_SECOND):
                camera.look(self._pid)
                self.looks += 1

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("which", ["eof", "epipe", "full"])
def test_no_end_is_lost_under_thirty_looks_a_second(ends: str, which: str) -> None:
    command = [ends, which, str(ROUNDS)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        Watcher(process.pid) as watcher,
    ):
        lost, _ = process.communicate()
    assert watcher.looks > 5
    assert (lost, process.returncode) == ("0\n", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 100)
    os.utime(path, (1_000_000, 2_000_000))
    return path


def test_offsets_and_times_stay(file: Path) -> None:
    source = f"""
import os
f = os.open({str(file)!r}, os.O_RDONLY | os.O_NOATIME); os.lseek(f, 123, 0)
r, w = os.pipe(); os.write(w, b"bytes")
def times(): return [[s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns] for s in map(os.fstat, (f, r))]
before = times()
ready()
ready(same=times() == before, offset=os.lseek(f, 0, 1))
"""
    with subject(source) as program:
        picture(program.pid, "read")
        with XRay() as camera:
            for _ in range(30):
                scene = camera.look(program.pid)
        assert one(scene, "pipe", queued=5).head == b"bytes"
        program.go()
        assert program.said() == {"same": True, "offset": 123}
        program.go()


WATCHES = """
libc.sem_open.restype = ctypes.c_void_p
inotify = libc.inotify_init1(os.O_NONBLOCK)
name = b"labkit-test-%d" % os.getpid()
libc.sem_open(b"/" + name, os.O_CREAT, 0o600, 1)
f = os.open(b"/dev/shm/" + name, os.O_CREAT | os.O_RDWR); os.write(f, b"content")
assert libc.inotify_add_watch(inotify, b"/dev/shm", 0xFFF) >= 0
def events():
    try: return len(os.read(inotify, 4096))
    except BlockingIOError: return 0
ready()
ready(events=events())
os.close(inotify)
ready()
os.unlink(b"/dev/shm/" + name), libc.sem_unlink(b"/" + name)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only the owner of /dev/shm may list it without a trace")
def test_who_watches_the_folder_of_shared_memory_is_not_woken() -> None:
    with subject(WATCHES) as program, XRay() as camera:
        scene = camera.look(program.pid)
        assert one(scene, "posix-shm", size=7).head is None
        assert one(scene, "posix-sem").value is None
        assert ["inotify" in limit.because for limit in scene.limits] == [True]
        program.go()
        assert program.said() == {"events": 0}
        program.go()
        program.said()  # it watches no more
        before = os.stat("/dev/shm").st_atime_ns
        scene = camera.look(program.pid)
        assert one(scene, "posix-shm", size=7).head == b"content"
        assert one(scene, "posix-sem").value == 1
        assert os.stat("/dev/shm").st_atime_ns == before
        program.go()


def test_no_sleeper_wakes(file: Path) -> None:
    source = """
r, w = os.pipe(); os.write(w, b"x"); q, v = os.pipe()
child(lambda: os.read(q, 1))
ready(pid=children[0])
"""
    with subject(source) as program:
        picture(program.pid, "read", "read")
        schedule = Path(f"/proc/{program.facts['pid']}/schedstat")
        before = schedule.read_text()
        with XRay() as camera:
            for _ in range(30):
                camera.look(program.pid)
        assert schedule.read_text() == before


def test_an_idle_pipe_is_left_alone() -> None:
    """Once seen, a pipe whose holders all sleep is not copied again."""
    from labkit.kernel import syscalls

    with subject("r, w = os.pipe(); os.write(w, b'x'); ready()") as program:
        picture(program.pid, "read")
        with XRay() as camera:
            first = camera.look(program.pid)
            copied: list[int] = []
            real = syscalls.pidfd_getfd
            syscalls.pidfd_getfd = lambda pidfd, fd: (copied.append(fd), real(pidfd, fd))[1]  # type: ignore[func-returns-value]
            try:
                second = camera.look(program.pid)
            finally:
                syscalls.pidfd_getfd = real
    assert one(second, "pipe", queued=1) == one(first, "pipe", queued=1)
    assert 0 in copied or not copied  # its standard input is held by the test as well
    assert all(fd < 3 for fd in copied)
