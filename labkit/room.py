"""A room: a command in Linux namespaces of its own, so that it meets nobody and leaves nothing.

Some facts about namespaces and bubblewrap:

- System V objects and POSIX queues belong to an IPC namespace, `/dev/shm` is a mount, pids belong to
  a PID namespace. When the first process of a PID namespace ends, the kernel kills all others in it
  (also daemons); when the last process of an IPC namespace ends, its objects go.
- Anyone may make them inside a new user namespace, unless the machine says no: Ubuntu since 23.10
  (AppArmor), Docker's seccomp filter, or a limit of zero in /proc/sys/user.
- `--die-with-parent` is PR_SET_PDEATHSIG: it means the parent *thread*, and between bubblewrap's two
  clones there is a moment when nobody would be told. So whoever starts a room should be
  single-threaded and a subreaper (`labkit/kernelspec/guard.py` is).
- A new /proc can be mounted only where the old one has nothing hidden; in containers it often has.
- A tmpfs is memory, half of the machine's unless a size is said, and no process is charged for it.
- Capabilities inside a room are over the room only, also for root.
- Since Linux 6.14 every PID namespace has a `kernel.pid_max` of its own. (Before, it was the machine's,
  and root in a room could have changed it.)

What follows for us: `in_room` only writes the command line; `why_no_room` tries it, and says in a
sentence why it failed and what to type.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.kernel import two_users

OUTSIDE = "LABKIT_OUTSIDE_IPC"
"""The environment variable that tells a room's processes which IPC namespace they are *not* in."""

ONE_USER = "LABKIT_ONE_USER"
"""The environment variable that tells a room's processes why there is one user only."""

NO_ROOM = "LABKIT_NO_ROOM"
"""The environment variable that tells a notebook's processes why it has no room."""

_NAMESPACES = (
    "--unshare-ipc",
    "--unshare-pid",
    "--die-with-parent",
    "--new-session",
)


_LIMIT_PIDS = '{ echo "$0" >/proc/sys/kernel/pid_max; } 2>/dev/null; exec "$@"'


def in_room(
    argv: Sequence[str],
    *,
    network: bool = True,
    read_only: bool = False,
    writable: Iterable[str] = (),
    private: Iterable[str] = (),
    most_processes: int | None = None,
    users: int | None = None,
) -> list[str]:
    """The command that runs `argv` in a room of its own.

    Files are those of the machine; `read_only` makes all of them so, but for the folders named in
    `writable`. The folders in `private` (which must exist) are empty in the room, and what is put
    there goes with it. Without `network` there is only the room's own loopback. `most_processes` is for
    root, whom RLIMIT_NPROC does not bind; kernels before 6.14 know no such limit. `users` is the
    descriptor of a user namespace with more users than one (`kernel/two_users.py`), to be inherited.
    """
    root = "--ro-bind" if read_only else "--bind"
    command = [
        bubblewrap() or "bwrap",
        *_NAMESPACES,
        *_users(users),
        root,
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
    ]
    command += [*_in_memory("/dev/shm"), "--proc", "/proc"]
    if os.path.isdir("/dev/mqueue"):
        command += ["--mqueue", "/dev/mqueue"]
    for folder in private:
        command += _in_memory(os.path.realpath(folder))
    for folder in writable:
        command += ["--bind", os.path.realpath(folder), os.path.realpath(folder)]
    if not network:
        command += ["--unshare-net"]
    if most_processes is not None and os.geteuid() == 0 and _kernel_version() >= (6, 14):
        argv = ["/bin/sh", "-c", _LIMIT_PIDS, str(most_processes), *argv]
    return [*command, "--setenv", OUTSIDE, _ipc_namespace(), "--", *argv]


def _in_memory(folder: str) -> list[str]:
    """An empty folder that can hold an eighth of the machine's memory."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8
    return ["--size", str(size), "--tmpfs", folder]


def _users(namespace: int | None) -> list[str]:
    if namespace is None:
        return ["--unshare-user"]
    rights = [word for name in two_users.NEEDED for word in ("--cap-add", name)]
    return ["--userns", str(namespace), *(["--cap-drop", "ALL", *rights] if os.geteuid() != 0 else [])]


def inside() -> bool:
    """True in a process that runs in a room of ours."""
    outside = os.environ.get(OUTSIDE)
    return outside is not None and outside != _ipc_namespace()


@dataclass(frozen=True, slots=True)
class Room:
    """A notebook's room, seen from outside."""

    pid: int
    """Of the notebook's own process, as it is numbered out here."""
    notebook: str
    """The notebook's path, as Jupyter knows it, or the name of its connection file."""
    environment: dict[str, str]
    """What programs find in there."""


def open_rooms() -> tuple[Room, ...]:
    """The rooms that this user may look into, in the order in which they were opened."""
    found: dict[str, Room] = {}
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/ipc")
            environment = _environment(pid)
        except OSError:  # it has gone, or is not ours to look at
            continue
        if OUTSIDE in environment and namespace not in (environment[OUTSIDE], _ipc_namespace(), *found):
            found[namespace] = Room(pid, _notebook(pid, environment), environment)
    return tuple(found.values())


def _environment(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/environ", "rb") as file:
        entries = (entry.partition(b"=") for entry in file.read().split(b"\0") if entry)
        return {os.fsdecode(name): os.fsdecode(value) for name, _, value in entries}


def _notebook(pid: int, environment: dict[str, str]) -> str:
    if session := environment.get("JPY_SESSION_NAME"):
        return session
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = os.fsdecode(file.read()).split("\0")
    return next((os.path.basename(word) for word in words if word.endswith(".json")), words[0])


def bubblewrap() -> str | None:
    """The path of bubblewrap's program, or None."""
    return shutil.which("bwrap") or shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")


@functools.cache
def why_no_room() -> str | None:
    """None when rooms can be had here; else why not and what to do about it. It tries once, for 10 ms."""
    if bubblewrap() is None:
        return "bubblewrap is not installed (on Debian and Ubuntu: sudo apt install bubblewrap)."
    complaint = _tried(None)
    return None if complaint is None else explain(complaint)


def users() -> int:
    """A user namespace with two users for `in_room`, tried out; LabError when none can be had."""
    namespace = two_users.namespace()
    complaint = _tried(namespace)
    if complaint is not None:
        os.close(namespace)
        raise LabError(f"bubblewrap could not make a room with two users; it said: {complaint or 'nothing'}.")
    return namespace


def _tried(users: int | None) -> str | None:
    """What bubblewrap complains of, or None when it made a room."""
    trial = subprocess.run(
        in_room(["/bin/sh", "-c", "exit 0"], users=users),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[] if users is None else [users],
        text=True,
        errors="replace",
    )
    return None if trial.returncode == 0 else trial.stderr.strip()


def explain(complaint: str) -> str:
    """Why bubblewrap failed, from what it said and from what the kernel says, with the remedy."""
    if _setting("user/max_user_namespaces") == "0":
        return _refused("user.max_user_namespaces is 0", "user.max_user_namespaces=15000")
    if _setting("kernel/unprivileged_userns_clone") == "0" and os.geteuid() != 0:
        return _refused(
            "kernel.unprivileged_userns_clone is 0",
            "kernel.unprivileged_userns_clone=1",
        )
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1" and os.geteuid() != 0:
        return _APPARMOR.format(bwrap=bubblewrap() or "/usr/bin/bwrap")
    if "mount proc" in complaint:
        return f"part of /proc is hidden here, as containers do ({complaint}). {_CONTAINER}"
    if _seccomp_filter():
        return f"a seccomp filter, as containers have, refuses new namespaces ({complaint}). {_CONTAINER}"
    if "No permissions to create new namespace" in complaint:
        return "new namespaces are refused here, as in a chroot or a locked-down container."
    return f"bubblewrap could not make one; it said: {complaint.rstrip('.') or 'nothing'}."


_CONTAINER = (
    "With Docker, start the container with: --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)

_APPARMOR = """\
this system's AppArmor keeps ordinary users from making namespaces (Ubuntu since 23.10 does). \
To allow it for bubblewrap, type these lines once:

sudo tee /etc/apparmor.d/bwrap >/dev/null <<'END'
abi <abi/4.0>,
include <tunables/global>
profile bwrap {bwrap} flags=(unconfined) {{
  userns,
  include if exists <local/bwrap>
}}
END
sudo apparmor_parser -r /etc/apparmor.d/bwrap
"""


def _refused(what: str, setting: str) -> str:
    return f"this system allows no new user namespaces ({what}). To allow them: sudo sysctl -w {setting}"


def _setting(name: str) -> str | None:
    """A kernel setting's value, or None where the kernel does not have it."""
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _kernel_version() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _seccomp_filter() -> bool:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
        return any(line.split() == ["Seccomp:", "2"] for line in status)


def _ipc_namespace() -> str:
    return os.readlink("/proc/self/ns/ipc")
