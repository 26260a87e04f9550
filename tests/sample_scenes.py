"""Scenes of every kind, made by hand: for the views' tests and pictures.

`python -m tests.sample_scenes` writes them to tests/ui/scenes.json, where the JavaScript tests find them.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

from labkit.scene import (
    Blocked,
    Deadlock,
    Descriptor,
    End,
    Epoll,
    EventFd,
    File,
    InetSocket,
    Limit,
    Lock,
    Mapping,
    Memory,
    Message,
    Other,
    Pipe,
    PosixMq,
    PosixSem,
    Process,
    Scene,
    SignalFd,
    Signals,
    SysvMsg,
    SysvSem,
    SysvShm,
    Thread,
    TimerFd,
    UnixSocket,
    Wait,
    WatchedFd,
)

PATH = pathlib.Path(__file__).parent / "ui" / "scenes.json"
TERMINAL = Other(id="terminal-1", kind="terminal", name="terminal")
Fds = dict[int, tuple[str, Any]]


def process(pid: int, name: str, fds: Fds, blocked: Blocked | None = None, **more: Any) -> Process:
    """A process with its standard descriptors on a terminal."""
    held = {0: ("terminal-1", "rw"), 1: ("terminal-1", "rw"), 2: ("terminal-1", "rw")} | fds
    table = tuple(
        Descriptor(fd, id, mode, description=100 * pid + fd if fd > 2 else 1)
        for fd, (id, mode) in held.items()
    )
    more.setdefault("state", "sleeping" if blocked else "running")
    more.setdefault("threads", (Thread(pid, more["state"], blocked),))
    more.setdefault("signals", Signals())
    return Process(
        pid=pid, ppid=1, name=name, command=f"python3 {name}.py", descriptors=table, blocked=blocked, **more
    )


def reading(fd: int, id: str) -> Blocked:
    return Blocked("read", fd, id, timed=False)


def pipe() -> Scene:
    """A slow reader: eleven bytes wait in the pipe."""
    return Scene(
        processes=(
            process(12, "parent", {4: ("pipe-1", "w")}, Blocked("wait4", timed=False, children=(13,))),
            process(13, "child", {3: ("pipe-1", "r")}, Blocked("clock_nanosleep", timed=True)),
        ),
        objects=(
            Pipe(
                id="pipe-1",
                kind="pipe",
                name="pipe 1",
                capacity=65536,
                queued=11,
                head=b"hello world",
                writers=(End(12, 4),),
                readers=(End(13, 3),),
                others=False,
            ),
            TERMINAL,
        ),
        waits=(Wait(12, 12, None, (13,)),),
    )


def full() -> Scene:
    """The reader does not read, so the writer waits."""
    return Scene(
        processes=(
            process(12, "writer", {1: ("pipe-1", "w")}, Blocked("write", 1, "pipe-1", timed=False)),
            process(13, "reader", {0: ("pipe-1", "r")}, Blocked("pause", timed=False)),
        ),
        objects=(
            Pipe(
                id="pipe-1",
                kind="pipe",
                name="pipe 1",
                capacity=65536,
                queued=65536,
                head=b"line 1\nline 2\nline 3\nline 4\nline 5\n",
                writers=(End(12, 1),),
                readers=(End(13, 0),),
                others=False,
            ),
            TERMINAL,
        ),
        waits=(Wait(12, 12, "pipe-1", (13,)),),
    )


def crossed() -> Scene:
    """Both sides of two pipes read: neither will ever write."""
    return Scene(
        processes=(
            process(12, "parent", {3: ("pipe-2", "r"), 4: ("pipe-1", "w")}, reading(3, "pipe-2")),
            process(13, "child", {3: ("pipe-1", "r"), 5: ("pipe-2", "w")}, reading(3, "pipe-1")),
        ),
        objects=(
            Pipe(
                id="pipe-1",
                kind="pipe",
                name="pipe 1",
                capacity=65536,
                queued=0,
                head=b"",
                writers=(End(12, 4),),
                readers=(End(13, 3),),
                others=False,
            ),
            Pipe(
                id="pipe-2",
                kind="pipe",
                name="pipe 2",
                capacity=65536,
                queued=0,
                head=b"",
                writers=(End(13, 5),),
                readers=(End(12, 3),),
                others=False,
            ),
            TERMINAL,
        ),
        waits=(Wait(12, 12, "pipe-2", (13,)), Wait(13, 13, "pipe-1", (12,))),
        deadlocks=(
            Deadlock(
                (12, 13),
                "parent waits in read(3) for bytes that only child could write, "
                "and child waits in read(3) for bytes that only parent could write.",
            ),
        ),
    )


def forgotten() -> Scene:
    """The reader holds the only write end itself: the end never comes."""
    return Scene(
        processes=(process(13, "child", {3: ("pipe-1", "r"), 4: ("pipe-1", "w")}, reading(3, "pipe-1")),),
        objects=(
            Pipe(
                id="pipe-1",
                kind="pipe",
                name="pipe 1",
                capacity=65536,
                queued=0,
                head=b"",
                writers=(End(13, 4),),
                readers=(End(13, 3),),
                others=False,
            ),
            TERMINAL,
        ),
        waits=(Wait(13, 13, "pipe-1", (13,)),),
        deadlocks=(
            Deadlock(
                (13,),
                "child waits in read(3) for the end of the pipe, but its own fd 4 is still open "
                "for writing: close it after fork.",
            ),
        ),
    )


def pipeline() -> Scene:
    """Four programs in a row, a FIFO at the end, bytes that are no text."""

    def joint(n: int, a: int, b: int, **more: Any) -> Pipe:
        given = {"id": f"pipe-{n}", "kind": "pipe", "name": f"pipe {n}", **more}
        return Pipe(capacity=65536, writers=(End(a, 1),), readers=(End(b, 0),), others=False, **given)

    return Scene(
        processes=(
            process(21, "cat", {1: ("pipe-1", "w")}),
            process(22, "tr", {0: ("pipe-1", "r"), 1: ("pipe-2", "w")}, reading(0, "pipe-1")),
            process(23, "sort", {0: ("pipe-2", "r"), 1: ("fifo-1", "w")}, reading(0, "pipe-2")),
            process(24, "uniq", {0: ("fifo-1", "r")}, reading(0, "fifo-1")),
        ),
        objects=(
            joint(1, 21, 22, queued=4096, head=bytes(range(190, 254))),
            joint(2, 22, 23, queued=19, head="Grüße, мир\n".encode()),
            joint(
                3,
                23,
                24,
                id="fifo-1",
                kind="fifo",
                name="/tmp/course/answers.fifo",
                queued=0,
                head=b"",
                path="/tmp/course/answers.fifo",
            ),
            TERMINAL,
        ),
        waits=(Wait(22, 22, "pipe-1", (21,)), Wait(23, 23, "pipe-2", (22,)), Wait(24, 24, "fifo-1", (23,))),
    )


def memory() -> Scene:
    """A segment in two processes; one page has become a private copy; a memory file with seals."""
    shared = SysvShm(
        id="sysv-shm-1",
        kind="sysv-shm",
        name="key 0x4c41",
        key=0x4C41,
        shmid=5,
        size=4096,
        mode=0o600,
        attached=2,
        creator=31,
        last=32,
        destroyed=False,
        head=b"count\0\0\0*\0\0\0\0\0\0\0" + b"the quick brown fox jumps over" + bytes(20),
    )
    posix = Memory(
        id="posix-shm-1",
        kind="posix-shm",
        name="/labkit-board",
        size=16384,
        unlinked=False,
        head=b"\x01\x02\x03\x04" + bytes(28),
    )
    sealed = Memory(
        id="memfd-1",
        kind="memfd",
        name="memfd:letters",
        size=12,
        unlinked=True,
        seals=("F_SEAL_SHRINK", "F_SEAL_WRITE"),
        head=b"abcdefghijkl",
        notes=("sealed: F_SEAL_SHRINK, F_SEAL_WRITE",),
    )
    return Scene(
        processes=(
            process(
                31,
                "counter/parent",
                {},
                mappings=(
                    Mapping("sysv-shm-1", 4096, "rw-", True, ((1, "shared"),)),
                    Mapping("posix-shm-1", 16384, "rw-", True, ((2, "shared"), (2, "absent"))),
                ),
            ),
            process(
                32,
                "counter/child",
                {7: ("memfd-1", "rw")},
                mappings=(
                    Mapping("sysv-shm-1", 4096, "rw-", True, ((1, "shared"),), start=0x7F2C4A000000),
                    Mapping(
                        "posix-shm-1", 16384, "rw-", False, ((1, "shared"), (1, "private"), (2, "absent"))
                    ),
                ),
            ),
        ),
        objects=(shared, posix, sealed, TERMINAL),
    )


def semaphores() -> Scene:
    """A set of three, two waiting; a POSIX semaphore at 0; two in each other's way."""
    taking = Blocked("semop", object="sysv-sem-1", timed=False, operations=((0, -1),))
    return Scene(
        processes=(
            process(41, "buffer", {}),
            process(42, "buffer/child", {}, taking),
            process(43, "buffer/child 2", {}, taking),
            process(44, "printer", {}, Blocked("futex", object="posix-sem-1", timed=False)),
        ),
        objects=(
            SysvSem(
                id="sysv-sem-1",
                kind="sysv-sem",
                name="key 0x4c42",
                key=0x4C42,
                semid=3,
                mode=0o600,
                values=(0, 5, 12),
                waiting=(2, 0, 0),
                waiting_zero=(0, 0, 0),
                last=(41, 43, 41),
            ),
            PosixSem(id="posix-sem-1", kind="posix-sem", name="/labkit-turn", value=0, waiting=1),
            TERMINAL,
        ),
        waits=(Wait(42, 42, "sysv-sem-1", (41,)), Wait(43, 43, "sysv-sem-1", (41,))),
    )


def queues() -> Scene:
    """System V messages with types; a POSIX queue that cannot be looked into."""
    texts = (b"first job", b"second", b"\x00\x01\x02\x03", b"urgent!", b"last", b"more")
    return Scene(
        processes=(
            process(51, "boss", {}),
            process(
                52,
                "worker",
                {3: ("posix-mq-1", "rw")},
                Blocked("mq_timedreceive", 3, "posix-mq-1", timed=False),
            ),
            process(53, "mailer", {3: ("posix-mq-1", "w")}),
        ),
        objects=(
            SysvMsg(
                id="sysv-msg-1",
                kind="sysv-msg",
                name="key 0x4c43",
                key=0x4C43,
                msqid=1,
                mode=0o600,
                bytes=412,
                capacity=16384,
                messages=tuple(Message(n % 3 + 1, len(t) + 60, t) for n, t in enumerate(texts)),
            ),
            PosixMq(id="posix-mq-1", kind="posix-mq", name="/labkit-jobs", queued=3, capacity=10, bytes=96),
            TERMINAL,
        ),
        waits=(Wait(52, 52, "posix-mq-1", (53,)),),
    )


def sockets() -> Scene:
    """A pair, a listener with a line before accept, TCP with both ends, UDP with one."""
    return Scene(
        processes=(
            process(
                61,
                "server",
                {3: ("unix-socket-3", "rw"), 5: ("inet-socket-1", "rw"), 6: ("inet-socket-3", "rw")},
                Blocked("accept4", 3, "unix-socket-3", timed=False),
            ),
            process(62, "server/child", {4: ("unix-socket-1", "rw")}),
            process(
                63,
                "client",
                {4: ("unix-socket-2", "rw"), 5: ("inet-socket-2", "rw")},
                reading(4, "unix-socket-2"),
            ),
        ),
        objects=(
            UnixSocket(
                id="unix-socket-1",
                kind="unix-socket",
                name="socket 1",
                type="stream",
                state="connected",
                peer="unix-socket-2",
                queued=5,
                head=b"ping\n",
                in_flight=2,
            ),
            UnixSocket(
                id="unix-socket-2",
                kind="unix-socket",
                name="socket 2",
                type="stream",
                state="connected",
                peer="unix-socket-1",
                queued=0,
                head=b"",
            ),
            UnixSocket(
                id="unix-socket-3",
                kind="unix-socket",
                name="/tmp/course/door",
                type="stream",
                state="listening",
                path="/tmp/course/door",
                waiting=2,
                backlog=5,
            ),
            InetSocket(
                id="inet-socket-1",
                kind="inet-socket",
                name="127.0.0.1:8000",
                protocol="tcp",
                state="established",
                local="127.0.0.1:8000",
                remote="127.0.0.1:40112",
                peer="inet-socket-2",
                receive_queue=120,
                send_queue=0,
                head=b"GET / HTTP/1.1\r\n",
            ),
            InetSocket(
                id="inet-socket-2",
                kind="inet-socket",
                name="127.0.0.1:40112",
                protocol="tcp",
                state="close-wait",
                local="127.0.0.1:40112",
                remote="127.0.0.1:8000",
                peer="inet-socket-1",
                receive_queue=0,
                send_queue=37,
                head=b"",
            ),
            InetSocket(
                id="inet-socket-3",
                kind="inet-socket",
                name="0.0.0.0:5353",
                protocol="udp",
                state="unconnected",
                local="0.0.0.0:5353",
                receive_queue=512,
                send_queue=0,
                head=b"query",
            ),
            TERMINAL,
        ),
        waits=(Wait(63, 63, "unix-socket-2", (62,)),),
    )


def small() -> Scene:
    """Files with a shared offset, locks, counters, timers, epoll, signals, threads, a zombie."""
    watched = (WatchedFd(6, "readable", "eventfd-1"), WatchedFd(7, "readable", "timerfd-1"))
    threads = (
        Thread(71, "sleeping", Blocked("epoll_wait", 5, "epoll-1", on=watched, timed=False)),
        Thread(74, "sleeping", Blocked("futex", timed=False)),
        Thread(75, "running"),
    )
    return Scene(
        processes=(
            process(
                71,
                "loop",
                {
                    4: ("file-1", "rw"),
                    5: ("epoll-1", "rw"),
                    6: ("eventfd-1", "rw"),
                    7: ("timerfd-1", "rw"),
                    8: ("signalfd-1", "rw"),
                },
                threads[0].blocked,
                threads=threads,
                signals=Signals(pending=("SIGUSR1",), blocked=("SIGUSR1", "SIGINT"), caught=("SIGTERM",)),
            ),
            process(72, "loop/child", {4: ("file-1", "rw")}, Blocked("flock", 4, "file-1", timed=False)),
            Process(73, 71, "loop/child 2", None, "zombie", 3),
            Process(76, 71, "stopped one", "sleep 100", "stopped", None),
        ),
        objects=(
            File(
                id="file-1",
                kind="file",
                name="journal.txt",
                path="/home/learner/course/journal.txt",
                size=1830,
            ),
            EventFd(id="eventfd-1", kind="eventfd", name="event counter", count=3),
            TimerFd(
                id="timerfd-1",
                kind="timerfd",
                name="timer",
                ticks=0,
                remaining_ns=700_000_000,
                interval_ns=1_000_000_000,
            ),
            SignalFd(id="signalfd-1", kind="signalfd", name="signals", signals=("SIGUSR1", "SIGINT")),
            Epoll(id="epoll-1", kind="epoll", name="epoll", watching=watched),
            Lock(
                id="lock-1",
                kind="lock",
                name="lock on journal.txt",
                type="flock",
                mode="write",
                file="file-1",
                holders=(71,),
                waiting=(72,),
            ),
            TERMINAL,
        ),
        waits=(Wait(72, 72, "lock-1", (71,)),),
        limits=(Limit("the offsets of two files", "the kernel says no (EPERM)"),),
    )


def unknown() -> Scene:
    """What a machine may refuse to show is said to be not visible, never zero."""
    return Scene(
        processes=(
            Process(81, None, "stranger", "database", "sleeping", descriptors=None, mappings=None),
            process(82, "watcher", {3: ("pipe-1", "r")}, reading(3, "pipe-1")),
        ),
        objects=(
            Pipe(id="pipe-1", kind="pipe", name="pipe 1", readers=(End(82, 3),)),
            SysvSem(id="sysv-sem-1", kind="sysv-sem", name="key 0x1"),
            SysvMsg(id="sysv-msg-1", kind="sysv-msg", name="key 0x2"),
            PosixMq(id="posix-mq-1", kind="posix-mq", name="/q"),
            SysvShm(id="sysv-shm-1", kind="sysv-shm", name="key 0x3"),
        ),
        limits=(Limit("pipe contents", "pidfd_getfd is forbidden here (a container's seccomp filter)"),),
    )


def hostile() -> Scene:
    """Names and bytes that would break out of a careless page."""
    evil = '<img src=x onerror="window.broken=1">'
    return Scene(
        processes=(
            process(91, evil, {4: ("pipe-1", "w")}),
            process(
                92,
                "\x1b[31mred\x1b[0m\x00\x07",
                {3: ("pipe-1", "r")},
                Blocked("</script><script>", 3, "pipe-1"),
            ),
            process(93, "\u202egnp.exe \u0627\u0644\u0639", {5: ("file-1", "r")}),
        ),
        objects=(
            Pipe(
                id="pipe-1",
                kind="pipe",
                name="</script><script>window.broken=1</script>",
                capacity=4096,
                queued=60,
                head=b"</text><script>window.broken=1</script>\x1b[2J\x00\xff\xfe",
                writers=(End(91, 4),),
                readers=(End(92, 3),),
                others=True,
                notes=(evil, "\u202eetirw"),
            ),
            File(id="file-1", kind="file", name="]]>\n" + evil * 20, path="/tmp/" + evil * 20, size=0),
            TERMINAL,
        ),
        deadlocks=(Deadlock((91,), f"{evil} waits <b>for ever</b> \x1b[1m"),),
        limits=(Limit(evil, "</p><script>window.broken=1</script>"),),
    )


def crowd() -> Scene:
    """Fifteen processes and thirty objects: still readable."""
    pids = range(100, 115)
    pipes = tuple(
        Pipe(
            id=f"pipe-{n}",
            kind="pipe",
            name=f"pipe {n}",
            capacity=65536,
            queued=n * 3,
            head=b"abc" * n,
            writers=(End(100 + n % 15, 4 + n // 15),),
            readers=(End(100 + (n + 1) % 15, 14 + n // 15),),
            others=False,
        )
        for n in range(30)
    )
    held: dict[int, Fds] = {pid: {} for pid in pids}
    for p in pipes:
        held[p.writers[0].pid][p.writers[0].fd] = (p.id, "w")
        held[p.readers[0].pid][p.readers[0].fd] = (p.id, "r")
    people = tuple(process(pid, f"ring/child {pid - 99}" if pid > 100 else "ring", held[pid]) for pid in pids)
    return Scene(processes=people, objects=(*pipes, TERMINAL))


def multitude() -> Scene:
    """A server with forty children on one listening socket: they fold."""
    listener = UnixSocket(
        id="unix-socket-1",
        kind="unix-socket",
        name="/tmp/door",
        type="stream",
        state="listening",
        path="/tmp/door",
        waiting=0,
        backlog=128,
    )
    blocked = Blocked("accept4", 3, "unix-socket-1", timed=False)
    workers = (
        process(200 + n, f"server/child {n}", {3: ("unix-socket-1", "rw")}, blocked) for n in range(1, 41)
    )
    return Scene(
        processes=(
            process(200, "server", {3: ("unix-socket-1", "rw")}, Blocked("wait4", timed=False)),
            *workers,
        ),
        objects=(listener, TERMINAL),
    )


SCENES: dict[str, Callable[[], Scene]] = {
    f.__name__: f
    for f in (
        pipe,
        full,
        crossed,
        forgotten,
        pipeline,
        memory,
        semaphores,
        queues,
        sockets,
        small,
        unknown,
        hostile,
        crowd,
        multitude,
    )
}


def as_json() -> str:
    """All of them, as the JavaScript tests read them."""
    return json.dumps({name: make().to_dict() for name, make in SCENES.items()}, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(as_json())
