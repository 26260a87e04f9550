"""Waits that can never end, in real programs: each is found, with its sentence; the calm are left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import posix_ipc
import pytest
import sysv_ipc
from kernel.subjects import subject
from stuck_programs import (
    BOTH_READ,
    BOTH_SPLICE,
    BOTH_WRITE,
    CROSSED_COUNTERS,
    CROSSED_FLOCKS,
    CROSSED_SET,
    CROSSED_SHARED,
    CROSSED_SYSV,
    CROSSED_THREADS,
    FORGOTTEN,
    FULL_LINE,
    FULL_SPLICE,
    HELD_BY_PARENT,
    LOCKED_TWICE,
    MUTEX_TWICE,
    NAMELESS_QUEUES,
    NESTED_EPOLLS,
    OWN_POLL,
    POLLS_PIDFD,
    POSIX_TWICE,
    PRIVATE_QUEUES,
    SOCKET_PAIR,
    STUCK_GRANDCHILD,
    THREAD_READS,
    VFORKED,
    WAIT_BEFORE_READ,
)

from labkit.scene import PosixMq, Scene, SysvMsg, SysvSem
from labkit.xray import XRay

SECONDS = 20
"""Long past what any of these programs needs: a busy machine must not make a test fail."""

FAMILY = {"parent", "child"}
HANGS = {
    "the forgotten write end": (FORGOTTEN, FAMILY, "close(4) in `child` after fork"),
    "the parent holds the write end": (HELD_BY_PARENT, FAMILY, "close(4) in `parent` before it calls"),
    "a stuck grandchild": (STUCK_GRANDCHILD, {"parent", "child", "child 2"}, "`parent` and `child` wait"),
    "both read": (BOTH_READ, FAMILY, "both read first"),
    "both write": (BOTH_WRITE, FAMILY, "both write first"),
    "wait before read": (WAIT_BEFORE_READ, FAMILY, "to its end in `parent` before it calls wait4"),
    "crossed flocks": (CROSSED_FLOCKS, FAMILY, "which `child` holds. `child` waits in flock"),
    "locked twice": (LOCKED_TWICE, {"parent"}, "which it holds itself through another descriptor"),
    "crossed System V semaphores": (CROSSED_SYSV, FAMILY, "last used by `child`"),
    "crossed semaphores of a set": (CROSSED_SET, FAMILY, "semaphore 1 of sysv-sem-1, last used by `child`"),
    "a POSIX semaphore taken twice": (POSIX_TWICE, {"parent"}, "Release it before taking it again"),
    "crossed semaphores in shared memory": (CROSSED_SHARED, FAMILY, "in the same order"),
    "a mutex locked twice": (MUTEX_TWICE, {"parent"}, "Release a lock before taking it again"),
    "threads with crossed locks": (CROSSED_THREADS, {"parent"}, "every thread of `parent` waits for another"),
    "a full line before accept": (FULL_LINE, FAMILY, "Accept in `parent` before it calls read"),
    "a socket pair, both reading": (SOCKET_PAIR, FAMILY, "could send something"),
    "a thread that reads its own pipe": (THREAD_READS, {"parent"}, "holds its only write end itself"),
    "a poll of its own pipe": (OWN_POLL, {"parent"}, "only it itself could make one ready"),
    "two that splice from one another": (BOTH_SPLICE, FAMILY, "both read first"),
    "a splice into a full pipe of its own": (FULL_SPLICE, {"parent"}, "and nobody but itself could read"),
    "an epoll of an epoll": (NESTED_EPOLLS, FAMILY, "for epoll-1, and only `child` could make"),
    "a poll for the end of a child": (POLLS_PIDFD, FAMILY, "for `child` to end. `child` waits in read(3)"),
    "two private queues": (PRIVATE_QUEUES, FAMILY, "and only `child` could send one"),
    "two queues without a name": (NAMELESS_QUEUES, FAMILY, "and only `child` or it itself could send one"),
    "two eventfds": (CROSSED_COUNTERS, FAMILY, "which only `child` or it itself could count up"),
    "a vfork whose child waits for its parent": (VFORKED, FAMILY, "`parent` waits in vfork for `child` to"),
}  # fmt: skip

# --- programs that do not ---------------------------------------------------------------------------

SHARED_LOCK = """
    import fcntl, os, select, struct, sys
    SETLKW = 7
    def take(kind):
        fcntl.fcntl(file, SETLKW, struct.pack("hhqqi", kind, 0, 0, 10, 0))
    r, w = os.pipe()
    told, tell = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid(), os.close(w)
            file = open(sys.argv[1] + "/a", "w+")
            take(fcntl.F_RDLCK), os.write(tell, b".")
            select.select([r], [], [], 1000)  # who looked early has seen it as a descendant
        os._exit(0)
    os.wait(), os.read(told, 1)
    file = open(sys.argv[1] + "/a", "w+")
    take(fcntl.F_RDLCK), take(fcntl.F_WRLCK)
"""
CALM: dict[str, tuple[str, str]] = {
    "a server in accept": ("accept", "import socket; s = socket.create_server(('127.0.0.1', 0)); s.accept()"),
    "a full line before a server that sleeps": ("connect", """
        import os, socket, time
        door = socket.socket(socket.AF_UNIX); door.bind(""); door.listen(0)
        if os.fork() == 0:
            time.sleep(1000)
        name = door.getsockname(); door.close()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for client in clients: client.connect(name)
    """),
    "a poll with a timeout": ("select", "import os, select; select.select([os.pipe()[0]], [], [], 1000)"),
    "a handler for an alarm": ("read", """
        import os, signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(1000)
        r, w = os.pipe()
        os.read(r, 1)
    """),
    "a pause": ("pause", "import signal; signal.pause()"),
    "a thread that sleeps": ("futex", """
        import threading, time
        thread = threading.Thread(target=time.sleep, args=(1000,))
        thread.start()
        thread.join()
    """),
    "a parent of one who sleeps": ("wait4", "import os, time; os.wait() if os.fork() else time.sleep(1000)"),
    "input from outside": ("read", "import sys; sys.stdin.read()"),
    "an idle pool": ("pause", "import multiprocessing as m, signal; p = m.Pool(2); signal.pause()"),
    "a queue with no sender yet": ("msgrcv", """
        import sysv_ipc
        sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX).receive()
    """),
    "a consumer before its producer": ("semop", """
        import sysv_ipc
        sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=0).acquire()
    """),
    "an event loop that serves": ("epoll_wait", """
        import asyncio
        async def main():
            server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
            await server.serve_forever()
        asyncio.run(main())
    """),
    "a process in the same memory that sleeps": ("futex", """
        #define _GNU_SOURCE
        #include <sched.h>
        #include <signal.h>
        #include <sys/syscall.h>
        #include <linux/futex.h>
        #include <unistd.h>
        static int word;
        static long stack[8192];
        static int wake(void *_) {
            sleep(1000);
            return syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        }
        int main(void) {
            clone(wake, stack + 8192, CLONE_VM | SIGCHLD, 0);
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
        }
    """),
    "a server until its handler posts": ("futex", """
        #include <semaphore.h>
        #include <signal.h>
        static sem_t end;
        static void stop(int _) { sem_post(&end); }
        int main(void) {
            signal(SIGTERM, stop);
            sem_wait(&end);
        }
    """),
    "work that the kernel does meanwhile": ("read", """
        #include <linux/aio_abi.h>
        #include <poll.h>
        #include <sys/eventfd.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            int counter = eventfd(0, 0);
            aio_context_t context = 0;
            struct iocb poll = {
                .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = 0, .aio_buf = POLLIN,
                .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = counter,
            }, *all = &poll;
            long long count;
            syscall(SYS_io_setup, 1, &context), syscall(SYS_io_submit, context, 1, &all);
            read(counter, &count, sizeof count);
        }
    """),
    "both write, and TCP does so for some time only": ("send", """
        import os, socket
        door = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(door.getsockname())
        server, _ = door.accept()
        mine, other = (client, server) if os.fork() else (server, client)
        other.close()
        mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1_000_000)
        mine.send(bytes(50_000_000))
    """),
    "an event loop that writes to one who sleeps": ("epoll_wait", """
        import asyncio, os, time
        r, w = os.pipe()
        if os.fork() == 0:
            os.close(w)
            time.sleep(1000)
        os.close(r)
        async def main():
            await asyncio.get_running_loop().connect_write_pipe(asyncio.Protocol, open(w, "wb"))
            await asyncio.Event().wait()
        asyncio.run(main())
    """),
    "a timer of its own": ("wait4", """
        #include <signal.h>
        #include <sys/wait.h>
        #include <time.h>
        #include <unistd.h>
        static int ends[2];
        static void ring(int _) { write(ends[1], "x", 1); }
        int main(void) {
            struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
            struct itimerspec when = {.it_value = {1000, 0}};
            timer_t timer;
            char byte;
            pipe(ends);
            signal(SIGUSR1, ring);
            timer_create(CLOCK_MONOTONIC, &event, &timer);
            timer_settime(timer, 0, &when, 0);
            if (fork() == 0) {
                close(ends[1]);
                read(ends[0], &byte, 1);
                _exit(0);
            }
            wait(0);
        }
    """),
    "a server and its worker, both at queues with names": ("mq_receive", """
        import os, posix_ipc
        names = [f"/calm-{os.getpid()}-{i}" for i in range(2)]
        queues = [posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=2) for name in names]
        me = os.fork() == 0
        queues[me].receive()
    """),
    "a thread with descriptors of its own": ("pause", """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <sched.h>
        #include <unistd.h>
        static int a[2], b[2];
        static pthread_barrier_t apart;
        static void *hold(void *_) {
            unshare(CLONE_FILES);
            pthread_barrier_wait(&apart);
            sleep(1000);
            return (void *)write(a[1], "x", 1);
        }
        static void ask(int in[2], int out[2]) {
            char byte;
            if (fork() == 0) {
                close(in[1]), close(out[0]);
                read(in[0], &byte, 1), write(out[1], "x", 1);
                _exit(0);
            }
        }
        int main(void) {
            pthread_t thread;
            pipe(a), pipe(b);
            ask(a, b), ask(b, a);
            pthread_barrier_init(&apart, 0, 2);
            pthread_create(&thread, 0, hold, 0);
            pthread_barrier_wait(&apart);
            close(a[0]), close(a[1]), close(b[0]), close(b[1]);
            pause();
        }
    """),
    "a record lock that a stranger shares": ("fcntl", SHARED_LOCK),
    "an OFD lock that a stranger shares": ("fcntl", SHARED_LOCK.replace("SETLKW = 7", "SETLKW = 38")),
    "a tracer of a stranger": ("wait4", """
        #include <signal.h>
        #include <sys/prctl.h>
        #include <sys/ptrace.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            int said[2], ends[2];
            pid_t stranger;
            char byte;
            pipe(said);
            if (fork() == 0) {
                if (fork() == 0) {
                    setsid();
                    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
                    stranger = getpid();
                    write(said[1], &stranger, sizeof stranger);
                    close(said[0]), close(said[1]);
                    for (;;) pause();
                }
                _exit(0);
            }
            read(said[0], &stranger, sizeof stranger);
            wait(0);
            close(said[0]), close(said[1]);
            ptrace(PTRACE_SEIZE, stranger, 0, PTRACE_O_EXITKILL);
            pipe(ends);
            if (fork() == 0) {
                close(ends[1]);
                read(ends[0], &byte, 1);
                _exit(0);
            }
            wait(0);
        }
    """),
}  # fmt: skip
ALONE: dict[str, tuple[str, str]] = {
    "workers at a private queue": ("msgrcv", """
        import os, signal, sysv_ipc
        queue = sysv_ipc.MessageQueue(sysv_ipc.IPC_PRIVATE, sysv_ipc.IPC_CREX)
        os.fork() and os.fork() and signal.pause()
        queue.receive()
    """),
    "programs that were told the number of a queue": ("msgrcv", """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/msg.h>
        #include <unistd.h>
        int main(int count, char **words) {
            struct { long type; char text; } message;
            char number[20];
            int queue;
            if (count > 1) return msgrcv(atoi(words[1]), &message, 1, 0, 0);
            while ((queue = msgget(IPC_PRIVATE, 0600)) < 1000) msgctl(queue, IPC_RMID, 0);
            sprintf(number, "%d", queue);
            if (fork() && fork()) pause();
            execl("/proc/self/exe", "worker", number, NULL);
        }
    """),
    "crossed semaphores": ("semop", """
        #include <sys/sem.h>
        #include <unistd.h>
        int main(void) {
            int id = semget(ftok("/proc/self", getpid()), 2, 0600 | IPC_CREAT), told[2], tell[2];
            unsigned short ones[2] = {1, 1};
            char c;
            semctl(id, 0, SETALL, ones);
            pipe(told), pipe(tell);
            int child = fork() ? 0 : 1;
            if (!child && fork()) pause();
            struct sembuf first = {child, -1, 0}, second = {!child, -1, 0};
            semop(id, &first, 1);
            write((child ? told : tell)[1], ".", 1);
            read((child ? tell : told)[0], &c, 1);
            semop(id, &second, 1);
        }
    """),
    "a lock that the parent has taken": ("flock", """
        import fcntl, os, signal, sys
        a, b = open(sys.argv[1] + "/a", "w"), open(sys.argv[1] + "/b", "w")
        fcntl.flock(a, fcntl.LOCK_EX)
        r, w = os.pipe()
        if os.fork() == 0:
            a.close(), b.close()
            a, b = open(sys.argv[1] + "/a", "w"), open(sys.argv[1] + "/b", "w")
            fcntl.flock(b, fcntl.LOCK_EX)
            os.write(w, b".")
            fcntl.flock(a, fcntl.LOCK_EX)
        os.read(r, 1)
        if os.fork() == 0:
            fcntl.flock(b, fcntl.LOCK_EX)
        signal.pause()
    """),
    "a call that the parent judges": ("read", """
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <stddef.h>
        #include <sys/prctl.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        int main(void) {
            int talk[2], ends[2], judge;
            char byte, room[CMSG_SPACE(sizeof judge)];
            struct iovec text = {&byte, 1};
            struct msghdr message = {0, 0, &text, 1, room, sizeof room, 0};
            struct cmsghdr *head = CMSG_FIRSTHDR(&message);
            struct sock_fprog filter = {4, code};
            socketpair(AF_UNIX, SOCK_STREAM, 0, talk);
            if (fork()) close(talk[1]), recvmsg(talk[0], &message, 0), pause();
            pipe(ends);
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            judge = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
            *head = (struct cmsghdr){CMSG_LEN(sizeof judge), SOL_SOCKET, SCM_RIGHTS};
            *(int *)CMSG_DATA(head) = judge;
            sendmsg(talk[1], &message, 0);
            close(talk[0]), close(talk[1]), close(judge);
            read(ends[0], &byte, 1);
        }
    """),
}  # fmt: skip
"""Children that wait for their parent, which is not in the picture."""
BUSY = {
    "two that write twice before they read": """
        import os, socket
        door = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(door.getsockname())
        server, _ = door.accept()
        if os.fork() == 0:
            client.close(), door.close()
            while server.recv(8, socket.MSG_WAITALL):
                server.send(b".")
        server.close(), door.close()
        while True:
            client.send(b"head"), client.send(b"body")
            client.recv(1)
    """,
    "two with little room for what is not acknowledged": """
        import os, socket
        door = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(door.getsockname())
        server, _ = door.accept()
        r, w = os.pipe()
        if os.fork() == 0:
            client.close(), door.close(), os.close(w)
            while os.read(r, 1):
                server.recv(100_000, socket.MSG_WAITALL)
        server.close(), door.close(), os.close(r)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2000)
        while True:
            client.sendall(bytes(100_000))
            os.write(w, b".")
    """,
    "two that call to each other": """
        import os
        r1, w1 = os.pipe()
        r2, w2 = os.pipe()
        if os.fork() == 0:
            while True:
                os.write(w2, os.read(r1, 1))
        os.close(r1), os.close(w2)
        while True:
            os.write(w1, b".")
            os.read(r2, 1)
    """,
    "locks, in the same order": """
        import fcntl, os, sys
        os.fork()
        a, b = open(sys.argv[1] + "/a", "w"), open(sys.argv[1] + "/b", "w")
        while True:
            for file, how in (a, fcntl.LOCK_EX), (b, fcntl.LOCK_EX), (b, fcntl.LOCK_UN), (a, fcntl.LOCK_UN):
                fcntl.flock(file, how)
    """,
    "a storm of children": """
        import os
        while True:
            r, w = os.pipe()
            if os.fork() == 0:
                os.close(w)
                os.read(r, 1)
                os._exit(0)
            os.close(r), os.close(w)
            os.wait()
    """,
}


# --- the tests --------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Starts a program from its source; in the end nothing of it is left."""
    with contextlib.ExitStack() as stack:
        yield lambda source: stack.enter_context(running(command(textwrap.dedent(source), tmp_path)))


def command(source: str, folder: Path) -> list[str]:
    if "#include" not in source:
        return [sys.executable, "-c", source, str(folder)]
    (folder / "program.c").write_text(source)
    program = str(folder / "program")
    subprocess.run(["gcc", "-w", "-pthread", "-o", program, f"{program}.c"], check=True)
    return [program]


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[int]:
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as program:
        try:
            yield program.pid
        finally:
            left = XRay(all_objects=True).look(program.pid)
            os.killpg(program.pid, signal.SIGKILL)
            remove(left, program.pid)


def remove(scene: Scene, pid: int) -> None:
    """What the program slept on and no kernel removes for it."""
    slept_on = {t.blocked.object for p in scene.processes for t in p.threads if t.blocked}
    for object in scene.objects:
        if isinstance(object, SysvSem) and (object.id in slept_on or pid in (object.last or ())):
            sysv_ipc.remove_semaphore(object.semid)
        elif isinstance(object, SysvMsg) and object.id in slept_on:
            sysv_ipc.remove_message_queue(object.msqid)
        elif isinstance(object, PosixMq) and object.name.startswith("/calm-"):
            posix_ipc.unlink_message_queue(object.name)


def look_until(camera: XRay, pid: int, condition: Callable[[Scene], object]) -> Scene:
    """The first picture of which the condition is true."""
    end = time.monotonic() + SECONDS
    while not condition(scene := camera.look(pid)):
        assert time.monotonic() < end, f"it did not come to that: {scene}"
        threading.Event().wait(0.01)
    return scene


@pytest.mark.parametrize("name", HANGS)
def test_it_is_found(name: str, start: Callable[[str], int]) -> None:
    source, who, words = HANGS[name]
    scene = look_until(XRay(), start(source), lambda scene: scene.deadlocks)
    (finding,) = scene.deadlocks
    assert {process.name for process in scene.processes if process.pid in finding.processes} == who
    assert words in finding.because


@pytest.mark.parametrize("name", CALM)
def test_it_is_left_in_peace(name: str, start: Callable[[str], int]) -> None:
    call, source = CALM[name]
    camera, pid = XRay(), start(source)
    look_until(camera, pid, lambda scene: asleep_in(scene, pid, call))
    for _ in range(20):
        assert camera.look(pid).deadlocks == ()


def asleep_in(scene: Scene, pid: int, call: str) -> bool:
    process = scene.process(pid)
    return process is not None and process.blocked is not None and process.blocked.call == call


@pytest.mark.parametrize("name", ALONE)
def test_children_are_left_in_peace_whose_parent_is_not_in_the_picture(
    name: str, start: Callable[[str], int]
) -> None:
    call, source = ALONE[name]
    pid = start(source)

    def waiting(scene: Scene) -> list[int]:
        return [p for p in pids(scene) if p != pid and (asleep_in(scene, p, call) or _is_judged(p))]

    family = look_until(
        XRay(), pid, lambda scene: asleep_in(scene, pid, "pause") and waiting(scene) == pids(scene)[1:]
    )
    assert XRay().look(*pids(family)[1:]).deadlocks == ()


FREEZERS = {  # where a group's state is written, and the words for it
    Path("/sys/fs/cgroup/freezer"): ("freezer.state", "FROZEN", "THAWED"),
    Path("/sys/fs/cgroup"): ("cgroup.freeze", "1", "0"),
}


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Held by the freezer of a cgroup of its own; skips the test where there is none."""
    for folder, (state, freeze, thaw) in FREEZERS.items():
        group = folder / f"labkit-test-{pid}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / "cgroup.procs").write_text(str(pid))
                (group / state).write_text(freeze)
                yield
                return
            finally:
                (group / state).write_text(thaw)
                (folder / "cgroup.procs").write_text(str(pid))
                group.rmdir()
    pytest.skip("no cgroup can be frozen here")


def test_one_that_a_freezer_holds_is_stopped(start: Callable[[str], int]) -> None:
    """It shows the call that it had made when it was caught, whether that waited or not."""
    pid = start("import os\nr, w = os.pipe()\nwhile True: os.write(w, b'hello'), os.read(r, 5)")
    look_until(XRay(), pid, lambda scene: len(scene.processes[0].descriptors or ()) > 4)
    with frozen(pid):
        scene = look_until(XRay(), pid, lambda scene: scene.processes[0].state == "stopped")
        assert (scene.processes[0].blocked, scene.deadlocks) == (None, ())


def pids(scene: Scene) -> list[int]:
    return [process.pid for process in scene.processes]


def _is_judged(pid: int) -> bool:
    """Does it sleep before a call that another process judges?"""
    return "seccomp" in Path(f"/proc/{pid}/wchan").read_text()


def test_a_worker_alone_is_left_in_peace(start: Callable[[str], int]) -> None:
    """Its parent, which could wake it, is not in the picture."""
    pid = start(CALM["an idle pool"][1])
    scene = look_until(XRay(), pid, lambda scene: len([p for p in scene.processes if p.blocked]) == 3)
    for worker in scene.processes[1:]:
        assert XRay().look(worker.pid).deadlocks == ()


@pytest.mark.parametrize("name", BUSY)
def test_nothing_is_said_of_the_busy_however_often_one_looks(name: str, start: Callable[[str], int]) -> None:
    camera, pid = XRay(), start(BUSY[name])
    look_until(camera, pid, lambda scene: len(scene.processes) > 1)
    for _ in range(200):
        assert camera.look(pid).deadlocks == ()


def test_a_shell_pipeline_is_left_in_peace() -> None:
    with running(["sh", "-c", "yes | cat | cat > /dev/null"]) as pid:
        camera = XRay()
        look_until(camera, pid, lambda scene: len(scene.processes) == 4)
        for _ in range(100):
            assert camera.look(pid).deadlocks == ()


def test_a_finding_is_gone_when_a_signal_has_ended_one_of_them(start: Callable[[str], int]) -> None:
    camera, pid = XRay(), start(BOTH_READ)
    scene = look_until(camera, pid, lambda scene: scene.deadlocks)
    os.kill(scene.processes[1].pid, signal.SIGKILL)
    assert look_until(camera, pid, lambda scene: not scene.deadlocks)


PASSES = """
a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [0])
if sys.argv[1:] != ["open"]: a.close()
ready()
socket.recv_fds(b, 1, 1)
ready()
"""


def test_what_strangers_pass_to_one_another_hides_nothing(start: Callable[[str], int]) -> None:
    with subject(PASSES.replace("sys.argv[1:]", '["open"]')):
        look_until(XRay(), start(BOTH_READ), lambda scene: scene.deadlocks)


def test_a_descriptor_that_is_on_its_way_elsewhere_only_puts_a_finding_off(
    start: Callable[[str], int],
) -> None:
    class Camera(XRay):
        careful = 0

        def _judged(self, pids: tuple[int, ...], careful: bool) -> Scene:
            scene = super()._judged(pids, careful)
            self.careful += careful
            if self.careful == 1 and careful:
                assert scene.deadlocks == ()
                elsewhere.go()
                elsewhere.said()
            return scene

    pid = start(SOCKET_PAIR)
    look_until(XRay(), pid, lambda scene: scene.deadlocks)
    with subject(PASSES) as elsewhere:
        assert Camera().look(pid).deadlocks


KEEPER = """
door = socket.socket(socket.AF_UNIX)
door.bind("")
door.listen()
ready(name=door.getsockname().hex())
"""
SENT_AWAY = """
    import os, socket, sys
    a, b = os.pipe(), os.pipe()
    with socket.socket(socket.AF_UNIX) as sender:
        sender.connect(bytes.fromhex("NAME"))
        socket.send_fds(sender, [b"x"], [a[1]])
    me = os.fork() == 0
    mine, other = (b, a) if me else (a, b)
    os.close(mine[1]), os.close(other[0])
    os.read(mine[0], 1)
"""


def test_an_end_that_is_on_its_way_to_a_stranger_is_nobody_s_yet(start: Callable[[str], int]) -> None:
    with subject(KEEPER) as keeper:
        pid = start(SENT_AWAY.replace("NAME", keeper.facts["name"]))
        camera = XRay()
        look_until(
            camera, pid, lambda scene: sum(asleep_in(scene, p.pid, "read") for p in scene.processes) == 2
        )
        for _ in range(20):
            assert camera.look(pid).deadlocks == ()
