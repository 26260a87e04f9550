"""A Scene: one frozen picture of some processes and of everything they share.

Pure data. Nothing here touches the kernel; `xray` fills a Scene, `waits` reasons about it, `draw` and
the views show it. A field's JSON key is its attribute name (the one exception is `Wait.for_`, because
`for` is a Python word). What is not known is None, in JSON null: never zero, never a guess.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from labkit.errors import LabError
from labkit.limits import Limit as Limit

VERSION = 1

State: TypeAlias = Literal["running", "sleeping", "stopped", "zombie", "dead"]
Mode: TypeAlias = Literal["r", "w", "rw"]
PageKind: TypeAlias = Literal["absent", "shared", "private"]


# --- processes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WatchedFd:
    """One descriptor in the set of a `poll`, `select` or `epoll_wait`."""

    fd: int
    events: str
    """What is waited for, as words: `"readable"`, `"writable"`, `"readable writable"`."""
    object: str | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A system call that a thread is asleep in."""

    call: str
    """The call's name as a programmer writes it: `read`, `semop`, `wait4`, `futex`, `flock`."""
    fd: int | None = None
    object: str | None = None
    """Id of the object waited on."""
    on: tuple[WatchedFd, ...] = ()
    """For `poll`, `select`, `epoll_wait`: the descriptors inside."""
    since_ns: int | None = None
    """How long it has been asleep there, in nanoseconds; None when not known."""
    timed: bool | None = None
    """True: the call ends by itself after a time. False: it has no time limit. None: not known."""
    children: tuple[int, ...] | None = None
    """For `wait4`, `waitid`, `vfork`, and a poll of pidfds: the pids whose ends could end it. Else None."""
    operations: tuple[tuple[int, int], ...] = ()
    """For `semop`: (semaphore number, operation) as in `struct sembuf`."""


@dataclass(frozen=True, slots=True)
class Thread:
    tid: int
    state: State
    blocked: Blocked | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One row of a process's descriptor table."""

    fd: int
    object: str | None
    mode: Mode | None
    flags: tuple[str, ...] = ()
    """Names such as `O_NONBLOCK`, `O_APPEND`, `O_CLOEXEC`."""
    offset: int | None = None
    description: int | None = None
    """Number of the open file description: the same number is the same description, in any process."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A range of a process's memory that shows an object."""

    object: str
    size: int
    prot: str
    """As in /proc/PID/maps, without the sharing letter: `rw-`, `r--`."""
    shared: bool
    pages: tuple[tuple[int, PageKind], ...] | None = ()
    """Runs of pages, in order: (how many, what they are). None when the machine won't show them."""
    start: int | None = None
    """First address, in the process that has it."""
    offset: int = 0
    """Where in the object the mapping begins, in bytes."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Signal sets by name, in the order of their numbers."""

    pending: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    caught: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    ppid: int | None
    name: str
    """A name that does not change with pids: `writer`, `server/child 2`, `parent`."""
    command: str | None
    state: State
    exit: int | None = None
    """Of one that has ended: its exit status, or minus the number of the signal that ended it."""
    threads: tuple[Thread, ...] = ()
    blocked: Blocked | None = None
    """Of the main thread."""
    descriptors: tuple[Descriptor, ...] | None = ()
    """None when this process's table may not be seen (`Scene.limits` says why)."""
    mappings: tuple[Mapping, ...] | None = ()
    signals: Signals | None = None


# --- objects ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class End:
    """A process's hold on one side of a pipe."""

    pid: int
    fd: int


@dataclass(frozen=True, slots=True)
class Message:
    type: int
    size: int
    head: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """What every kernel object has. `kind` is the JSON name of the class."""

    kinds: ClassVar[tuple[str, ...]] = ()

    id: str
    kind: str
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe(Object):
    kinds: ClassVar[tuple[str, ...]] = ("pipe", "fifo")

    capacity: int | None = None
    queued: int | None = None
    head: bytes | None = None
    """The first bytes in it, the next to be read."""
    readers: tuple[End, ...] = ()
    writers: tuple[End, ...] = ()
    others: bool | None = None
    """True: somebody outside the picture holds it too. False: proven that nobody does."""
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket(Object):
    kinds: ClassVar[tuple[str, ...]] = ("unix-socket",)

    type: str | None = None
    """`stream`, `dgram` or `seqpacket`."""
    state: str | None = None
    """`unconnected`, `listening`, `connected`, `closed`…"""
    path: str | None = None
    """The name it is bound to; an abstract one is written with a leading `@`."""
    peer: str | None = None
    """Id of the socket at the other end, when it is in the picture."""
    queued: int | None = None
    """Bytes waiting to be received here."""
    head: bytes | None = None
    backlog: int | None = None
    waiting: int | None = None
    """Of a listener: connections not yet accepted."""
    in_flight: int | None = None
    """Descriptors travelling in the messages waiting here."""
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InetSocket(Object):
    kinds: ClassVar[tuple[str, ...]] = ("inet-socket",)

    protocol: str | None = None
    """`tcp`, `udp`, `tcp6`, `udp6`."""
    state: str | None = None
    local: str | None = None
    remote: str | None = None
    peer: str | None = None
    receive_queue: int | None = None
    send_queue: int | None = None
    in_transit: int | None = None
    """Of TCP: packets that were sent and are not acknowledged yet. The kernels see to them by themselves."""
    backlog: int | None = None
    waiting: int | None = None
    head: bytes | None = None
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SysvShm(Object):
    kinds: ClassVar[tuple[str, ...]] = ("sysv-shm",)

    key: int | None = None
    shmid: int | None = None
    size: int | None = None
    mode: int | None = None
    attached: int | None = None
    creator: int | None = None
    last: int | None = None
    destroyed: bool | None = None
    head: bytes | None = None
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it attached too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SysvSem(Object):
    kinds: ClassVar[tuple[str, ...]] = ("sysv-sem",)

    key: int | None = None
    semid: int | None = None
    mode: int | None = None
    values: tuple[int, ...] | None = None
    waiting: tuple[int, ...] | None = None
    waiting_zero: tuple[int, ...] | None = None
    last: tuple[int, ...] | None = None
    others: bool | None = None
    """True: somebody outside the picture uses it too. False: nobody outside knows this private one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SysvMsg(Object):
    kinds: ClassVar[tuple[str, ...]] = ("sysv-msg",)

    key: int | None = None
    msqid: int | None = None
    mode: int | None = None
    bytes: int | None = None
    capacity: int | None = None
    messages: tuple[Message, ...] | None = None
    others: bool | None = None
    """As of a semaphore set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Object):
    """POSIX shared memory and memfds."""

    kinds: ClassVar[tuple[str, ...]] = ("posix-shm", "memfd")

    size: int | None = None
    unlinked: bool | None = None
    seals: tuple[str, ...] | None = None
    head: bytes | None = None
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosixSem(Object):
    kinds: ClassVar[tuple[str, ...]] = ("posix-sem",)

    value: int | None = None
    waiting: int | None = None
    unlinked: bool | None = None
    inside: str | None = None
    """Of one made with `sem_init`: the id of the shared memory it lies in."""
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosixMq(Object):
    kinds: ClassVar[tuple[str, ...]] = ("posix-mq",)

    queued: int | None = None
    capacity: int | None = None
    bytes: int | None = None
    unlinked: bool | None = None
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Object):
    kinds: ClassVar[tuple[str, ...]] = ("file",)

    path: str | None = None
    size: int | None = None
    deleted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFd(Object):
    kinds: ClassVar[tuple[str, ...]] = ("eventfd",)

    count: int | None = None
    others: bool | None = None
    """As of a pipe: does somebody outside the picture have it too?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoll(Object):
    kinds: ClassVar[tuple[str, ...]] = ("epoll",)

    watching: tuple[WatchedFd, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFd(Object):
    kinds: ClassVar[tuple[str, ...]] = ("signalfd",)

    signals: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFd(Object):
    kinds: ClassVar[tuple[str, ...]] = ("timerfd",)

    ticks: int | None = None
    remaining_ns: int | None = None
    interval_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(Object):
    kinds: ClassVar[tuple[str, ...]] = ("lock",)

    type: str | None = None
    """`flock`, `posix` or `ofd`."""
    mode: str | None = None
    """`read` or `write`."""
    file: str | None = None
    """Id of the locked file's object."""
    holders: tuple[int, ...] | None = None
    """Pids. None when the kernel does not say."""
    waiting: tuple[int, ...] | None = None
    start: int | None = None
    end: int | None = None
    """Last byte locked; None means to the end of the file."""
    others: bool | None = None
    """As of a pipe: has somebody outside the picture the open file description that holds it?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(Object):
    """A terminal, or any kind of object that has no picture of its own."""

    kinds: ClassVar[tuple[str, ...]] = ("terminal", "other")


AnyObject: TypeAlias = (
    Pipe | UnixSocket | InetSocket | SysvShm | SysvSem | SysvMsg | Memory | PosixSem | PosixMq
    | File | EventFd | Epoll | SignalFd | TimerFd | Lock | Other
)  # fmt: skip

KINDS: dict[str, type[Object]] = {kind: cls for cls in typing.get_args(AnyObject) for kind in cls.kinds}


# --- what follows from them -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """One thread waits on one object for one of these processes."""

    pid: int
    tid: int
    object: str | None
    for_: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadlock:
    processes: tuple[int, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Scene:
    processes: tuple[Process, ...] = ()
    objects: tuple[AnyObject, ...] = ()
    waits: tuple[Wait, ...] = ()
    deadlocks: tuple[Deadlock, ...] = ()
    limits: tuple[Limit, ...] = ()

    def process(self, pid: int) -> Process | None:
        """The process with this pid, or None."""
        return next((p for p in self.processes if p.pid == pid), None)

    def object(self, id: str | None) -> AnyObject | None:
        """The object with this id, or None."""
        return next((o for o in self.objects if o.id == id), None)

    def to_dict(self) -> dict[str, Any]:
        """The scene as plain dictionaries and lists, ready for `json.dumps`."""
        return {"version": VERSION, **encoded(self)}

    def to_json(self, indent: int | None = None) -> str:
        """The scene as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    @classmethod
    def from_dict(cls, data: Any) -> Scene:
        """The inverse of `to_dict`. Keys it does not know are passed over: a newer writer may add some."""
        if not isinstance(data, dict) or "version" not in data:
            raise LabError("This is not a scene: it has no `version`.")
        if data["version"] != VERSION:
            raise LabError(
                f"This scene has version {data['version']!r}; this labkit reads version {VERSION}."
            )
        scene = _decode(cls, data, "scene")
        assert isinstance(scene, Scene)
        return scene

    @classmethod
    def from_json(cls, text: str | bytes) -> Scene:
        """The inverse of `to_json`."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise LabError(f"This is not a scene: it is not JSON ({error}).") from None
        return cls.from_dict(data)


# --- to and from JSON -------------------------------------------------------------------------------

_KEY = {"for_": "for"}
"""Attribute names that are Python words, and their JSON keys."""


_keys: dict[type, tuple[tuple[str, str], ...]] = {}


def keys(cls: type) -> tuple[tuple[str, str], ...]:
    """(attribute, JSON key) of every field of one of these classes; none for other classes."""
    known = _keys.get(cls)
    if known is None:
        fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        known = _keys[cls] = tuple((f.name, _KEY.get(f.name, f.name)) for f in fields)
    return known


def encoded(value: Any) -> Any:
    """A value of a scene, or a part of one, as `json.dumps` takes it."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [encoded(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return {key: encoded(getattr(value, name)) for name, key in keys(type(value))}


_hints: dict[type, dict[str, Any]] = {}


def _field_types(cls: type) -> dict[str, Any]:
    if cls not in _hints:
        own = vars(typing) | globals() | {"bytes": bytes}
        _hints[cls] = typing.get_type_hints(cls, own, {"object": object, "bytes": bytes})
    return _hints[cls]


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value`, as read from JSON, as a `kind`; a sentence with the place where it does not fit."""
    if kind == AnyObject:
        return _decode_object(value, where)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _decode(_without_none(kind), value, where)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, where)
    if origin is Literal:
        return _expect(value in typing.get_args(kind), value, where)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    if kind is bytes:
        return _decode_bytes(value, where)
    if kind is int:
        return _expect(isinstance(value, int) and not isinstance(value, bool), value, where)
    return _expect(isinstance(value, kind), value, where)


def _decode_object(value: Any, where: str) -> Any:
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise LabError(f"This is not a scene: {where} is not an object of a known kind.")
    return _decode_dataclass(KINDS[value["kind"]], value, where)


def _decode_dataclass(cls: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, where)
    found = {}
    for field in dataclasses.fields(cls):
        key = _KEY.get(field.name, field.name)
        if key in value:
            found[field.name] = _decode(_field_types(cls)[field.name], value[key], f"{where}.{key}")
        elif field.default is dataclasses.MISSING:
            raise LabError(f"This is not a scene: {where} has no `{key}`.")
    return cls(**found)


def _decode_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value, where)
    if args[1:] == (Ellipsis,):
        args = (args[0],) * len(value)
    _expect(len(args) == len(value), value, where)
    return tuple(
        _decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(args, value, strict=True))
    )


def _decode_bytes(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise LabError(f"This is not a scene: {where} is not base64.") from None


def _without_none(union: Any) -> Any:
    kinds = tuple(k for k in typing.get_args(union) if k is not type(None))
    return kinds[0] if len(kinds) == 1 else typing.Union[kinds]  # noqa: UP007


def _expect(fits: bool, value: Any, where: str) -> Any:
    if not fits:
        raise LabError(f"This is not a scene: {where} cannot be {value!r:.60}.")
    return value
