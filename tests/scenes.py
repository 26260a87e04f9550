"""Scenes made by hand, for tests that need no kernel."""

from __future__ import annotations

import dataclasses
from typing import Any

from labkit.scene import (
    AnyObject,
    Blocked,
    Descriptor,
    End,
    Lock,
    Mapping,
    Mode,
    Pipe,
    PosixSem,
    Process,
    Scene,
    Signals,
    SysvSem,
    Thread,
    UnixSocket,
)

Fds = dict[int, tuple[str, Mode]]


def process(
    pid: int, name: str, blocked: Blocked | None = None, fds: Fds | None = None, **more: Any
) -> Process:
    """A process that sleeps in `blocked`, or runs."""
    held = tuple(Descriptor(fd, id, mode) for fd, (id, mode) in (fds or {}).items())
    more.setdefault("state", "sleeping" if blocked else "running")
    more.setdefault("ppid", 1)
    more.setdefault("threads", (Thread(pid, more["state"], blocked),))
    return Process(pid=pid, name=name, command=name, blocked=blocked, descriptors=held, **more)


def reading(fd: int, id: str | None, **more: Any) -> Blocked:
    return Blocked("read", fd, id, **{"timed": False, "since_ns": 2_100_000_000, **more})


def writing(fd: int, id: str | None, **more: Any) -> Blocked:
    return Blocked("write", fd, id, **{"timed": False, **more})


def waiting(*children: int) -> Blocked:
    return Blocked("wait4", timed=False, children=children)


def locking(fd: int, id: str) -> Blocked:
    return Blocked("flock", fd, id, timed=False)


def taking(id: str, *operations: tuple[int, int]) -> Blocked:
    return Blocked("semop", object=id, timed=False, operations=operations)


def futex(id: str | None = None) -> Blocked:
    return Blocked("futex", object=id, timed=False)


def scene(*processes: Process, objects: tuple[AnyObject, ...] = (), others: bool | None = False) -> Scene:
    """These processes, with every pipe and socket that their descriptors name."""
    made = {o.id: o for o in objects}
    for id in dict.fromkeys(d.object for p in processes for d in p.descriptors or () if d.object):
        if id.startswith(("pipe", "fifo")) and id not in made:
            made[id] = pipe(id, *processes, others=others)
    return Scene(processes=processes, objects=tuple(made.values()))


def pipe(id: str, *processes: Process, **more: Any) -> Pipe:
    """A pipe whose ends are held as the processes' tables say."""
    ends = [
        (d.mode or "", End(p.pid, d.fd)) for p in processes for d in p.descriptors or () if d.object == id
    ]
    full = any(p.blocked and p.blocked.object == id and p.blocked.call == "write" for p in processes)
    more = {"others": False, "capacity": 65536, "queued": 65536 if full else 0, **more}
    return Pipe(
        id=id,
        kind=id.split("-")[0],
        name=id,
        readers=tuple(end for mode, end in ends if "r" in mode),
        writers=tuple(end for mode, end in ends if "w" in mode),
        **more,
    )


def lock(id: str, *holders: int, **more: Any) -> Lock:
    facts = {"type": "flock", "file": "file-1", "holders": holders, "others": False, **more}
    return Lock(id=id, kind="lock", name=id, **facts)


def semaphores(
    id: str, values: tuple[int, ...], last: tuple[int, ...], key: int = 0x4C, **more: Any
) -> SysvSem:
    facts = {"values": values, "last": last, "others": None if key else False, **more}
    return SysvSem(id=id, kind="sysv-sem", name=id, key=key, semid=1, **facts)


def posix_semaphore(id: str, **more: Any) -> PosixSem:
    return PosixSem(id=id, kind="posix-sem", name=f"/{id}", **{"value": 0, "waiting": 1, **more})


def socket(id: str, peer: str | None, **more: Any) -> UnixSocket:
    facts = {"type": "stream", "state": "connected", "queued": 0, "others": False, **more}
    return UnixSocket(id=id, kind="unix-socket", name=id, peer=peer, **facts)


def mapping(id: str) -> Mapping:
    return Mapping(id, 4096, "rw-", True)


def catching(*names: str) -> Signals:
    return Signals(caught=names)


def with_process(scene: Scene, extra: Process) -> Scene:
    return dataclasses.replace(scene, processes=(*scene.processes, extra))
