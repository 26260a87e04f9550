"""A user namespace with two users in it: its maker, and one more for lessons on permissions.

Some facts about user_namespaces(7):

- In a user namespace only those uids exist that its maps name. A process may map its own uid without any
  right; to map another takes CAP_SETUID outside (and CAP_SETGID for the groups).
- `newuidmap` and `newgidmap` (Debian's package uidmap) have these rights, and map to anybody the
  *subordinate* ids that /etc/subuid and /etc/subgid give to that user: names or uids, first id, count.
- Maps can be written once, from outside, while some process is in the namespace; the namespace stays as
  long as somebody has its file open.
- setuid(2) to the other user takes CAP_SETUID inside. Capabilities of a user who is not 0 survive execve
  only when they are *ambient* (capabilities(7)): permitted, inheritable, and raised by this thread.
- An id that is not mapped is shown as 65534 (`nobody`), whoever it belongs to.

What follows for us: a child makes the namespace and waits, we write its maps or have them written, and
keep the file. The other user is `nobody` inside. Capabilities are ambient only while the owner of the
programs is started, so that nothing else has them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator

from labkit.errors import LabError
from labkit.kernel import syscalls

OTHER_USER = 65534
"""`nobody`: the user that owns nothing."""

NEEDED = {"CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_PTRACE": 19}
"""What it takes to start, look at and end programs of another user."""

_PLACES = "/usr/local/bin:/usr/bin:/bin"


def namespace() -> int:
    """A descriptor of a new user namespace in which this user and `nobody` exist; LabError if refused."""
    me, group = os.getuid(), os.getgid()
    with _child_in_new_namespace() as pid:
        if me == 0:
            _write(pid, "uid_map", f"0 0 1\n{OTHER_USER} {OTHER_USER} 1\n")
            _write(pid, "gid_map", f"0 0 1\n{OTHER_USER} {OTHER_USER} 1\n")
        else:
            _have_written(pid, "newuidmap", me, _subordinate("/etc/subuid", me))
            _have_written(pid, "newgidmap", group, _subordinate("/etc/subgid", me))
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def _child_in_new_namespace() -> Iterator[int]:
    told, tell = os.pipe()
    waits, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        with contextlib.suppress(OSError):
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(tell, b"!")
            os.read(waits, 1)
        os._exit(0)
    os.close(tell)
    os.close(waits)
    try:
        if os.read(told, 1) != b"!":
            raise LabError("this machine allows no new user namespace.")
        yield pid
    finally:
        os.close(told)
        os.close(go)
        os.waitpid(pid, 0)


def _write(pid: int, file: str, text: str) -> None:
    try:
        with open(f"/proc/{pid}/{file}", "w", encoding="ascii") as map:
            map.write(text)
    except OSError as error:
        raise LabError(f"another user may not be mapped here ({error.strerror}).") from None


def _have_written(pid: int, program: str, own: int, other: int) -> None:
    path = shutil.which(program) or shutil.which(program, path=_PLACES)
    if path is None:
        raise LabError(f"{program} is missing (on Debian and Ubuntu: sudo apt install uidmap).")
    line = [path, str(pid), *map(str, (own, own, 1, OTHER_USER, other, 1))]
    ran = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if ran.returncode != 0:
        raise LabError(f"{program} refused: {ran.stderr.strip() or ran.returncode}.")


def _subordinate(file: str, user: int) -> int:
    """The first subordinate id of this user."""
    called = {str(user)}
    with contextlib.suppress(KeyError):
        called.add(pwd.getpwuid(user).pw_name)
    with contextlib.suppress(OSError), open(file, encoding="utf-8") as lines:
        for line in lines:
            owner, first, count = [*line.strip().split(":"), "", ""][:3]
            if owner in called and first.isdigit() and count not in ("", "0"):
                return int(first)
    raise LabError(
        f"{file} gives this user no subordinate ids. As an administrator: "
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {sorted(called)[-1]}"
    )


# --- ambient capabilities ---------------------------------------------------------------------------


@contextlib.contextmanager
def handed_on() -> Iterator[None]:
    """Programs started by this thread now get what is needed, as far as we have it; nobody else does."""
    with contextlib.suppress(OSError):
        for number in NEEDED.values():
            syscalls.raise_ambient(number)
    try:
        yield
    finally:
        syscalls.clear_ambient()
