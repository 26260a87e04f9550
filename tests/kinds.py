"""One object of every kind and what is to be said of it; scenes with any names. For the tests of drawings."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from scenes import process, reading

from labkit.scene import (
    KINDS,
    AnyObject,
    Epoll,
    EventFd,
    File,
    InetSocket,
    Limit,
    Lock,
    Memory,
    Message,
    Other,
    Pipe,
    PosixMq,
    PosixSem,
    Scene,
    SignalFd,
    SysvMsg,
    SysvSem,
    SysvShm,
    TimerFd,
    UnixSocket,
    WatchedFd,
)
from labkit.waits import judge

P, C = 10, 11

KNOWN: list[tuple[AnyObject, list[str]]] = [
    (
        Pipe(id="x-1", kind="pipe", name="", capacity=65536, queued=61813, head=b"hello\n"),
        ["61,813 of 65,536 bytes", '"hello\\n"'],
    ),
    (
        Pipe(id="x-1", kind="fifo", name="", capacity=4096, queued=0, path="/tmp/f", others=False),
        ["/tmp/f", "empty, room for 4,096 bytes", "no write end is open", "no read end is open"],
    ),
    (
        UnixSocket(
            id="x-1",
            kind="unix-socket",
            name="",
            type="stream",
            state="connected",
            peer="x-2",
            queued=3,
            head=b"\xff\x00\x01",
            in_flight=2,
        ),
        [
            "stream, connected",
            "3 bytes to receive",
            "ff 00 01",
            "its other end is x-2",
            "2 descriptors in flight",
        ],
    ),
    (
        UnixSocket(
            id="x-1",
            kind="unix-socket",
            name="",
            type="stream",
            state="listening",
            path="@door",
            backlog=5,
            waiting=1,
        ),
        ["listening", "@door", "1 connection waiting, backlog 5"],
    ),
    (
        InetSocket(
            id="x-1",
            kind="inet-socket",
            name="",
            protocol="tcp",
            state="established",
            local="127.0.0.1:80",
            remote="127.0.0.1:4000",
            receive_queue=0,
            send_queue=7,
        ),
        ["tcp, established, 127.0.0.1:80 → 127.0.0.1:4000", "nothing to receive", "7 bytes sent"],
    ),
    (
        SysvShm(
            id="x-1",
            kind="sysv-shm",
            name="",
            key=0x4C,
            shmid=3,
            size=4096,
            attached=2,
            creator=P,
            destroyed=True,
            head=b"abc",
        ),
        ["key 0x0000004c, id 3", "4,096 bytes, attached 2 times", "made by a", "removed", '"abc"'],
    ),
    (
        SysvSem(
            id="x-1",
            kind="sysv-sem",
            name="",
            key=0,
            values=(0, 2),
            waiting=(1, 0),
            waiting_zero=(0, 3),
            last=(P, 0),
        ),
        ["private key", "semaphore 0: value 0, 1 waiting to take, last used by a", "3 waiting for zero"],
    ),
    (
        SysvMsg(
            id="x-1",
            kind="sysv-msg",
            name="",
            bytes=9,
            capacity=16384,
            messages=(Message(7, 9, b"first one"),),
        ),
        ["1 message, 9 of 16,384 bytes", 'type 7, 9 bytes  "first one"'],
    ),
    (
        Memory(id="x-1", kind="posix-shm", name="/board", size=8192, unlinked=True),
        ["/board", "8,192 bytes", "name is gone"],
    ),
    (
        Memory(id="x-1", kind="memfd", name="m", size=1, seals=("F_SEAL_WRITE",)),
        ["1 byte", "sealed: F_SEAL_WRITE"],
    ),
    (PosixSem(id="x-1", kind="posix-sem", name="/turn", value=0, waiting=2), ["/turn", "value 0, 2 waiting"]),
    (
        PosixMq(id="x-1", kind="posix-mq", name="/jobs", queued=3, capacity=10, bytes=99),
        ["3 messages of 10", "99 bytes"],
    ),
    (EventFd(id="x-1", kind="eventfd", name="", count=4), ["count 4"]),
    (
        Epoll(id="x-1", kind="epoll", name="", watching=(WatchedFd(6, "readable", None),)),
        ["watches 6 (readable)"],
    ),
    (
        SignalFd(id="x-1", kind="signalfd", name="", signals=("SIGUSR1", "SIGINT")),
        ["reads SIGUSR1 and SIGINT"],
    ),
    (
        TimerFd(id="x-1", kind="timerfd", name="", ticks=2, remaining_ns=700_000_000, interval_ns=10**9),
        ["rings in 700 ms, then every 1.0 s", "has rung 2 times"],
    ),
    (
        Lock(
            id="x-1",
            kind="lock",
            name="",
            type="flock",
            mode="write",
            file="file-1",
            holders=(P,),
            waiting=(C,),
        ),
        ["exclusive flock on file-1", "held by a", "b waits for it"],
    ),
    (Other(id="x-1", kind="other", name="anon_inode:[pidfd]"), ["anon_inode:[pidfd]"]),
]


def holding(object: AnyObject, *others: AnyObject) -> Scene:
    """`a` and `b` both have the object open."""
    fds: Any = {3: (object.id, "rw")}
    return Scene((process(P, "a", None, fds), process(C, "b", None, fds)), (object, *others))


def blank(kind: str) -> AnyObject:
    """An object of which nothing but its kind is known."""
    return KINDS[kind](id="x-1", kind=kind, name="thing")  # type: ignore[return-value]


names = st.text(max_size=60)
any_object = st.one_of(
    st.builds(
        lambda n, q, h: Pipe(id="pipe-1", kind="pipe", name=n, notes=(n,), queued=q, capacity=65536, head=h),
        names,
        st.none() | st.integers(0, 65536),
        st.none() | st.binary(max_size=99),
    ),
    st.builds(lambda n: File(id="file-1", kind="file", name=n, path=n), names),
    st.builds(
        lambda n: UnixSocket(id="s-1", kind="unix-socket", name=n, path=n, peer=n, state="connected"), names
    ),
)


@st.composite
def any_scenes(draw: st.DrawFn) -> Scene:
    objects = tuple(draw(st.lists(any_object, max_size=3, unique_by=lambda o: o.id)))
    fds = {i: (o.id, "rw") for i, o in enumerate(objects, start=3)}
    blocked = st.none() | st.builds(lambda name: reading(3, name), names)
    made = [process(P + i, draw(names), draw(blocked), fds) for i in range(draw(st.integers(0, 3)))]  # type: ignore[arg-type]
    return judge(Scene(tuple(made), objects, limits=(Limit(draw(names), draw(names)),)))
