"""A blocked system call, in a programmer's words: from its number and its six arguments.

Some facts about calls that block:

- The C library often makes another call than the one written: glibc's `semop` is semtimedop without a
  time, `select` is pselect6, `recv` recvfrom, `accept` accept4; on arm64 also `poll` (ppoll),
  `epoll_wait` (epoll_pwait) and `pause` (ppoll of nothing).
- A time limit is a pointer (NULL: none), or milliseconds (negative: none); on sockets also an option
  (SO_RCVTIMEO, SO_SNDTIMEO), which is not an argument.
- `poll`, `select` and `semop` take their sets from the caller's memory when they begin, and write
  there only when they return: while the caller sleeps in the call, its memory holds the set.
- `wait4(pid)`: above 0 one child, -1 any, 0 any of the caller's group, below -1 any of group -pid.
- After a stop (SIGSTOP, SIGCONT) some calls go on as `restart_syscall`, with the old arguments; which
  one it is, `wchan` tells: the kernel function that the thread sleeps in.
- `splice`, `tee` and `sendfile` have two descriptors, and wait on the one that is empty, or on the one that
  is full: `wchan` tells that too (`pipe_wait_writable`, `sock_alloc_send_pskb`, `sk_stream_wait_memory`).
- A thread may be held up on the way into its call, or out of it: by a cgroup's freezer (a paused container),
  by a filter whose supervisor judges the call (seccomp_unotify(2)), by who handles its page faults
  (userfaultfd(2)) or its opening of a file (fanotify(7)). The call that it shows has not begun, or is over.
- A 32-bit program on a 64-bit kernel has other numbers; its stack and code are below 4 GiB.

What follows for us: a table, with one line a call, and a function for each set that lies in memory.
Nothing here asks the kernel: `read` is given by the caller, and answers None for what it can't read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from labkit.kernel.files import event_words

Read: TypeAlias = Callable[[int, int], bytes | None]
"""(address, size) -> these bytes of the sleeper's memory."""
Limit: TypeAlias = Literal["receive", "send", "connect"]
"""A time limit that only the descriptor knows."""

MOST = 4096
"""No more descriptors or operations than this are read out of a set."""


class Waiting(NamedTuple):
    """What a thread waits for, as far as its call's arguments say."""

    call: str
    fd: int | None = None
    timed: bool | Limit | None = None
    """True, False, not known (None), or: ask the descriptor."""
    on: tuple[tuple[int, str], ...] = ()
    """(descriptor, events in words) of `poll` and `select`."""
    operations: tuple[tuple[int, int], ...] = ()
    object: tuple[str, int] | None = None
    """A kernel object named by number: ("sysv-sem", semid), ("futex", address)."""
    children: tuple[str, int] | None = None
    """("pid", 7), ("group", 7), ("any", 0), ("pidfd", descriptor); of vfork ("memory", 0): who shares it."""
    path: tuple[int, int] | None = None
    """Of `open`: directory descriptor, and address of the path."""
    arguments: tuple[int, ...] = ()
    """All six, for those who know more of this call."""
    own_table: bool = False
    """Its descriptors are of a table that this thread has for itself: nobody shows what is in it."""


class _Rule(NamedTuple):
    name: str
    fd: int | None = None
    timed: bool | Limit | None = None
    pointer: int | None = None
    """The argument that is a pointer to the time limit."""
    plain: str | None = None
    """The name when that pointer (or, with `unless`, another) is NULL."""
    unless: int | None = None


AT_FDCWD = -100

_RULES = {
    "read": _Rule("read", 0, "receive"),
    "readv": _Rule("readv", 0, "receive"),
    "pread64": _Rule("pread", 0, False),
    "preadv": _Rule("preadv", 0, False),
    "preadv2": _Rule("preadv2", 0, "receive"),
    "write": _Rule("write", 0, "send"),
    "writev": _Rule("writev", 0, "send"),
    "pwrite64": _Rule("pwrite", 0, False),
    "pwritev": _Rule("pwritev", 0, False),
    "pwritev2": _Rule("pwritev2", 0, "send"),
    "recvfrom": _Rule("recvfrom", 0, "receive", plain="recv", unless=4),
    "recvmsg": _Rule("recvmsg", 0, "receive"),
    "recvmmsg": _Rule("recvmmsg", 0, "receive"),
    "sendto": _Rule("sendto", 0, "send", plain="send", unless=4),
    "sendmsg": _Rule("sendmsg", 0, "send"),
    "sendmmsg": _Rule("sendmmsg", 0, "send"),
    "accept": _Rule("accept", 0, "receive"),
    "accept4": _Rule("accept", 0, "receive"),
    "connect": _Rule("connect", 0, "connect"),
    "splice": _Rule("splice", 0, "receive"),
    "tee": _Rule("tee", 0, False),
    "vmsplice": _Rule("vmsplice", 0, False),
    "sendfile": _Rule("sendfile", 0, "send"),
    "flock": _Rule("flock", 0, False),
    "fcntl": _Rule("fcntl", 0, False),
    "fsync": _Rule("fsync", 0, True),
    "fdatasync": _Rule("fdatasync", 0, True),
    "ioctl": _Rule("ioctl", 0),
    "close": _Rule("close", 0, None),
    "mq_timedreceive": _Rule("mq_timedreceive", 0, pointer=4, plain="mq_receive"),
    "mq_timedsend": _Rule("mq_timedsend", 0, pointer=4, plain="mq_send"),
    "epoll_pwait2": _Rule("epoll_pwait2", 0, pointer=3),
    "io_uring_enter": _Rule("io_uring_enter", 0),
    "io_getevents": _Rule("io_getevents", pointer=4),
    "io_pgetevents": _Rule("io_pgetevents", pointer=4),
    "rt_sigtimedwait": _Rule("sigtimedwait", pointer=2, plain="sigwait"),
    "rt_sigsuspend": _Rule("sigsuspend", timed=False),
    "pause": _Rule("pause", timed=False),
    "nanosleep": _Rule("nanosleep", timed=True),
    "futex_wait": _Rule("futex_wait", pointer=4),
    "futex_waitv": _Rule("futex_waitv", pointer=3),
    "getrandom": _Rule("getrandom", timed=None),
}


def waiting(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    """What a thread that sleeps in this call waits for."""
    special = _SPECIAL.get(call)
    if special:
        found = special(call, arguments, read)
    else:
        found = _plain(_RULES.get(call) or _Rule(call.removeprefix("rt_")), arguments)
    return found._replace(arguments=arguments)


def _plain(rule: _Rule, arguments: tuple[int, ...]) -> Waiting:
    timed = rule.timed
    if rule.pointer is not None:
        timed = arguments[rule.pointer] != 0
    asked = rule.unless if rule.unless is not None else rule.pointer
    name = rule.plain if rule.plain and asked is not None and not arguments[asked] else rule.name
    return Waiting(name, None if rule.fd is None else _int(arguments[rule.fd]), timed)


def _int(word: int) -> int:
    """A C `int` out of a 64-bit register."""
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word


# --- sets of descriptors ----------------------------------------------------------------------------


def _poll(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    count = arguments[1]
    if call == "poll":
        name, timed = "poll", _int(arguments[2]) >= 0
    else:
        name, timed = "ppoll" if arguments[3] else "poll", arguments[2] != 0
    if call == "ppoll" and not count and not timed and not arguments[3]:
        return Waiting("pause", timed=False)
    data = read(arguments[0], 8 * min(count, MOST)) if count else b""
    on = [
        (fd, event_words(bits & 0xFFFF)) for fd, bits, _ in struct.iter_unpack("=ihh", data or b"") if fd >= 0
    ]
    return Waiting(name, timed=timed, on=tuple(on))


def _select(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    count = min(max(_int(arguments[0]), 0), MOST * 16)
    sets = [_members(address, count, read) for address in arguments[1:4]]
    words = ("readable", "writable", "exceptional")
    on = []
    for fd in sorted(set().union(*sets)):
        on.append((fd, " ".join(word for word, members in zip(words, sets, strict=True) if fd in members)))
    name = "pselect" if call == "pselect6" and arguments[5] else "select"
    return Waiting(name, timed=arguments[4] != 0, on=tuple(on))


def _members(address: int, count: int, read: Read) -> set[int]:
    data = read(address, (count + 63) // 64 * 8) if address and count else None
    bits = int.from_bytes(data or b"", "little")
    return {fd for fd in range(count) if bits >> fd & 1} if bits else set()


def _epoll(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    masked = call == "epoll_pwait" and arguments[4]
    name = "epoll_pwait" if masked else "epoll_wait"
    return Waiting(name, _int(arguments[0]), _int(arguments[3]) >= 0)


# --- the others whose arguments say more ------------------------------------------------------------


def _semop(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    timed = call == "semtimedop" and arguments[3] != 0
    data = read(arguments[1], 6 * min(arguments[2], MOST)) or b""
    operations = tuple((number, change) for number, change, _ in struct.iter_unpack("=Hhh", data))
    name = "semtimedop" if timed else "semop"
    return Waiting(name, timed=timed, operations=operations, object=("sysv-sem", _int(arguments[0])))


def _queue(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    return Waiting(call, timed=False, object=("sysv-msg", _int(arguments[0])))


_FUTEX_WAITS = (0, 6, 9, 11, 13)
"""FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2."""


def _futex(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    waits = arguments[1] & 0x7F in _FUTEX_WAITS
    timed = arguments[3] != 0 if waits else None
    return Waiting("futex", timed=timed, object=("futex", arguments[0]) if waits else None)


def _clock_nanosleep(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    realtime_and_relative = not arguments[0] and not arguments[1]  # how glibc does sleep and usleep
    return Waiting("nanosleep" if realtime_and_relative else "clock_nanosleep", timed=True)


def _wait4(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    pid = _int(arguments[0])
    if pid > 0:
        children = ("pid", pid)
    else:
        children = ("any", 0) if pid == -1 else ("group", -pid)
    return Waiting("wait4", timed=False, children=children)


def _waitid(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    kinds = {0: "any", 1: "pid", 2: "group", 3: "pidfd"}
    kind = kinds.get(_int(arguments[0]))
    children = (kind, _int(arguments[1])) if kind else None
    return Waiting("waitid", timed=False, children=children)


def _vfork(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    """Of all that clone, only a vfork waits: for the child that runs in its memory."""
    return Waiting("vfork", timed=False, children=("memory", 0))


def _open(call: str, arguments: tuple[int, ...], read: Read) -> Waiting:
    if call in ("open", "creat"):
        return Waiting("open", timed=False, path=(AT_FDCWD, arguments[0]))
    return Waiting("open", timed=False, path=(_int(arguments[0]), arguments[1]))


_SPECIAL: dict[str, Callable[[str, tuple[int, ...], Read], Waiting]] = {
    "poll": _poll,
    "ppoll": _poll,
    "select": _select,
    "pselect6": _select,
    "epoll_wait": _epoll,
    "epoll_pwait": _epoll,
    "semop": _semop,
    "semtimedop": _semop,
    "msgrcv": _queue,
    "msgsnd": _queue,
    "futex": _futex,
    "clock_nanosleep": _clock_nanosleep,
    "wait4": _wait4,
    "waitid": _waitid,
    "vfork": _vfork,
    "clone": _vfork,
    "clone3": _vfork,
    "open": _open,
    "creat": _open,
    "openat": _open,
    "openat2": _open,
}

_RESTARTED = (("poll", "poll"), ("nanosleep", "nanosleep"), ("futex", "futex"))


def restarted(wchan: bytes) -> str | None:
    """Which call goes on as `restart_syscall`, from the kernel function it sleeps in."""
    function = wchan.decode("ascii", "replace")
    return next((call for word, call in _RESTARTED if word in function), None)


_TARGET = {"splice": 2, "tee": 1}
"""Of calls that move bytes from one descriptor to another: which argument is the other."""


_FROZEN = (b"get_signal", b"freez", b"refrigerator")
_HELD_UP = (b"seccomp", b"userfault", b"fanotify")


def is_frozen(wchan: bytes) -> bool:
    """Does it stand still until its cgroup is thawed?"""
    return any(word in wchan for word in _FROZEN)


def is_held_up(wchan: bytes) -> bool:
    """Does it sleep before its call has begun?"""
    return any(word in wchan for word in _HELD_UP)


_FIFOS = (b"partner", b"fifo")


def on_target(found: Waiting, where: bytes) -> Waiting:
    """The same wait, on what it is for, as the kernel function tells that the thread sleeps in.

    Of two descriptors one; of the path that is being opened, whether it is a FIFO's: only then may it be
    walked again, since a dead server may be on the way of any other.
    """
    if found.path is not None and where not in (b"0", b"") and not any(word in where for word in _FIFOS):
        return found._replace(path=None)
    if found.call == "sendfile":
        return found if _is_full(where) else found._replace(fd=_int(found.arguments[1]), timed=None)
    target = _TARGET.get(found.call)
    if target is None or not _is_full(where):
        return found
    return found._replace(fd=_int(found.arguments[target]), timed="send" if found.timed else found.timed)


def _is_full(wchan: bytes) -> bool:
    return any(word in wchan for word in (b"writable", b"send", b"wait_memory"))
