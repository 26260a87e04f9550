"""Walls around an answer: the command line of a room that a stranger's code may run in.

Some facts about walls:

- bubblewrap as an ordinary user makes a user namespace in which only one's own uid exists. As root it
  needs none; then the answer must be given another uid, because the host's uid 0 passes through many
  walls (RLIMIT_NPROC does not bind it, and files of root are its own).
- What is not mounted cannot be read: masters, hidden checks, other people's answers.
- A room's `/`, `/dev` and `/dev/shm` are tmpfs, limited only by memory: `/` and `/dev` are made
  read-only once they are filled, the others get a size.
- RLIMIT_NPROC counts the processes of a uid in a user namespace (since 5.14), else on the machine: where
  there is no user namespace, every room has a uid of its own.
- The limits of a process are inherited, and can only be lowered by who is not privileged.
- seccomp filters see numbers and registers, not memory: clone3 hides its flags there, so it does
  "not exist" (ENOSYS), and the C library uses clone.
- Not every network has namespaces: a socket of AF_VSOCK reaches from a virtual machine to its host. And
  some things are counted for the whole machine: io_setup takes of what all may have (aio-max-nr).

What follows for us: three walls, tried in this order. `strict` is for strangers and the only one that
grading accepts. `own IPC` still gives an answer its own System V objects, queues and `/dev/shm`, and is
what root can have in a notebook's room, where /proc cannot be mounted again. `none` is none.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import room
from labkit.kernel.numbers import number

PACKAGE = Path(__file__).resolve().parents[1]
TMP_BYTES = 64 << 20
FIRST_UID = 60_000
"""Where root grades: the first of the uids that answers run as, one for each room at a time."""
_USERS = 5_000

_SEEN = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives group hosts ld.so.cache ld.so.conf ld.so.conf.d localtime nsswitch.conf passwd "
    "protocols services"
)

LIMITS = {
    "RLIMIT_AS": 1 << 30,
    "RLIMIT_CORE": 0,
    "RLIMIT_FSIZE": 32 << 20,
    "RLIMIT_NOFILE": 256,
    "RLIMIT_NPROC": 64,
}


@dataclass(frozen=True, slots=True)
class Wall:
    """How an answer's processes are kept apart."""

    name: str
    argv: tuple[str, ...] = ()
    """What comes before the command."""
    own_ipc: bool = False
    """System V objects, POSIX queues and /dev/shm are the answer's own."""
    own_files: bool = False
    """It sees few files, can change none but in a /tmp of its own, and has no network."""
    seccomp: bool = False
    """bubblewrap reads a filter (`seccomp_filter`) from the descriptor that stands for SECCOMP_FD."""
    uid: int | None = None
    slot: int = 0
    hidden: tuple[str, ...] = ()
    """Folders of which an answer sees nothing, wherever they are."""

    def for_tracing(self) -> Wall:
        """The same wall, for a conductor."""
        return strict(self.argv[0], self.slot, self.hidden, tracing=True) if self.own_files else self


def walls(slot: int | None = None, hidden: tuple[str, ...] = ()) -> Iterator[Wall]:
    """The walls to try, strongest first. `slot` numbers the rooms that exist at a time.

    As root, each slot is a user of its own: the Linux kernel counts processes for each user, and what one
    answer takes must not be missing elsewhere. Who has no numbers to give out takes one at random.
    """
    slot = some_slots() if slot is None else slot
    bwrap = _bubblewrap()
    if bwrap:
        yield strict(bwrap, slot, hidden)
        own_ipc = [bwrap, "--unshare-user", "--unshare-ipc", "--die-with-parent"]
        own_ipc += ["--dev-bind", "/", "/", "--size", str(TMP_BYTES), "--tmpfs", "/dev/shm", "--"]
        yield Wall("own IPC", tuple(own_ipc), own_ipc=True)
    yield Wall("none")


def some_slots(count: int = 1) -> int:
    """The first of so many slots that nobody else has, most likely."""
    return secrets.randbelow(_USERS - count)


@functools.cache
def strict(bwrap: str, slot: int, hidden: tuple[str, ...] = (), tracing: bool = False) -> Wall:
    """The wall for strangers; with `tracing`, for a conductor of ours who leads them from inside."""
    uid = FIRST_UID + slot if os.geteuid() == 0 else None
    argv = [bwrap, "--die-with-parent", "--new-session", "--hostname", "answer"]
    argv += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if uid is None:
        argv += ["--unshare-user", "--cap-drop", "ALL", *(["--cap-add", "CAP_SYS_PTRACE"] if tracing else [])]
    argv += [*_files(), "--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):
        argv += ["--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", folder]
    outside = (path for path in _python() if not any(_is_in(path, seen) for seen in _SEEN))
    argv += _shown(outside)  # after /tmp, for it may lie there
    argv += _nothing_of(hidden)
    argv += ["--mqueue", "/dev/mqueue", "--remount-ro", "/dev", "--remount-ro", "/"]
    argv += ["--chdir", "/", "--seccomp", SECCOMP_FD, "--"]
    argv += _as_uid(uid, tracing) if uid is not None else []
    return Wall(
        "strict", tuple(argv), own_ipc=True, own_files=True, seccomp=True, uid=uid, slot=slot, hidden=hidden
    )


_bubblewrap = functools.cache(room.bubblewrap)


def _as_uid(uid: int, tracing: bool) -> list[str]:
    kept = ",+sys_ptrace" if tracing else ""
    argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps=-all{kept}"]
    argv += [f"--ambient-caps=-all{kept}", f"--bounding-set=-all{kept}", "--no-new-privs"]
    return argv


def _files() -> list[str]:
    """Programs and libraries; nothing of the course, of learners or of users."""
    argv: list[str] = []
    for path in _SEEN:
        if os.path.islink(path):
            argv += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            argv += ["--ro-bind", path, path]
    argv += ["--perms", "0755", "--dir", "/etc"]  # bubblewrap makes folders that only root may enter
    for name in _ETC.split():
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return argv


def _nothing_of(hidden: Iterable[str]) -> list[str]:
    """Empty folders over these, where they would be seen; what Python cannot do without stays."""
    covered = _outermost(_seen_as(hidden))
    argv = [word for path in covered for word in ("--tmpfs", path)]
    for path in covered:
        argv += _shown(one for one in _python(parts=path) if _is_in(one, path))
    return argv + [word for path in covered for word in ("--remount-ro", path)]


def _seen_as(hidden: Iterable[str]) -> Iterator[str]:
    """The paths by which what is to be hidden would be seen: links may lead to it."""
    for seen in (*(path for path in _SEEN if not os.path.islink(path)), *_python()):
        real = os.path.realpath(seen)
        yield from (seen + path[len(real) :] for path in hidden if _is_in(path, real))


def _shown(paths: Iterable[str]) -> list[str]:
    argv: list[str] = []
    for path in _outermost(paths):
        for parent in reversed(Path(path).parents[:-1]):
            argv += ["--perms", "0755", "--dir", str(parent)]
        argv += ["--ro-bind-try", path, path]
    return argv


def _python(parts: str = "") -> set[str]:
    """Paths without which our Python and labkit do not start; one of them can be told in parts."""
    interpreter = os.path.dirname(os.path.realpath(sys.executable))
    wanted = {sys.prefix, sys.base_prefix, interpreter, str(PACKAGE)}
    wanted |= {os.path.dirname(os.path.realpath(link)) for link in _chain(sys.executable)}
    if parts in wanted:
        wanted |= {f"{parts}/{name}" for name in ("bin", "lib", "lib64", "pyvenv.cfg")}
    return wanted - {parts}


def _outermost(paths: Iterable[str]) -> list[str]:
    """These without those that lie in others of them."""
    found = sorted(set(paths))
    return [path for path in found if not any(path != one and _is_in(path, one) for one in found)]


def _is_in(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _chain(path: str) -> list[str]:
    """A path and the links it leads through."""
    found = [path]
    while os.path.islink(path) and len(found) < 8:
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        found.append(path)
    return found


def libraries() -> list[str]:
    """Where an answer's imports are looked for, besides Python's own library: found once, here, by us."""
    return [path for path in sys.path if path.endswith("-packages")] + [str(PACKAGE.parent)]


# --- system calls that an answer has no use for -----------------------------------------------------

SECCOMP_FD = "{seccomp}"
"""Stands in a wall's command for the number of the descriptor that the filter is read from."""

_DENIED = (
    "acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module finit_module fsconfig "
    "fsmount fsopen fspick init_module io_setup io_uring_enter io_uring_register io_uring_setup ioperm iopl "
    "kexec_file_load kexec_load keyctl mbind migrate_pages mount mount_setattr move_mount move_pages "
    "name_to_handle_at open_by_handle_at open_tree perf_event_open pivot_root quotactl quotactl_fd reboot "
    "request_key set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 "
    "unshare userfaultfd vhangup"
)
_NEW_NAMESPACES = 0x7E020000 | 0x80
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: the sockets that there are."""


@functools.cache
def seccomp_filter(machine: str | None = None) -> bytes:
    """The filter as BPF: `struct sock_filter` one after the other."""
    machine = machine or platform.machine()
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JEQ, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 calls have numbers of their own
        program += [(_JGE, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    for name in _DENIED.split():
        if (known := number(name, machine)) is not None:
            program += [(_JEQ, 0, 1, known), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    program += [(_JEQ, 0, 1, _known("clone3", machine)), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    program += _with_argument(_known("clone", machine), 0, [(_JSET, 0, 1, _NEW_NAMESPACES)])
    for request in (_TIOCSTI, _TIOCLINUX):
        program += _with_argument(_known("ioctl", machine), 1, [(_JEQ, 0, 1, request)])
    program += _only(_known("socket", machine), 0, _FAMILIES, _EAFNOSUPPORT)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _with_argument(
    call: int, argument: int, test: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """EPERM for a call whose argument passes a test."""
    inner = [(_LOAD, 0, 0, _ARGUMENT + 8 * argument), *test, (_RETURN, 0, 0, _ERRNO | _EPERM)]
    inner.append((_LOAD, 0, 0, _NUMBER))
    return [(_JEQ, 0, len(inner), call), *inner]


def _only(call: int, argument: int, values: tuple[int, ...], error: int) -> list[tuple[int, int, int, int]]:
    """This error for a call whose argument is none of these values."""
    inner = [(_LOAD, 0, 0, _ARGUMENT + 8 * argument)]
    inner += [(_JEQ, left, 0, value) for left, value in zip(range(len(values), 0, -1), values, strict=True)]
    inner += [(_RETURN, 0, 0, _ERRNO | error), (_LOAD, 0, 0, _NUMBER)]
    return [(_JEQ, 0, len(inner), call), *inner]


def _known(name: str, machine: str) -> int:
    found = number(name, machine)
    assert found is not None
    return found
