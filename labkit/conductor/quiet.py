"""Which calls are a program's own, and which are its interpreter's, loader's or library's.

A film shows what the learner's code does. So calls make no frame

- before the program begins: in C, while the dynamic loader is at work (the call comes from the loader's
  own code); in Python, before the launcher's marker (it asks for access to a file of a certain name);
  in a Python started without our launcher, before its script is opened;
- on files of libraries and modules, and on descriptors that lead there;
- that the C library makes for itself: for `perror`, for looking a name up, around a new thread, in
  `posix_spawn`;
- that miss a program on the way along PATH, where it will be found further on;
- that change only the process's own memory: private mappings, stacks, allocation;
- that only ask (F_GETFD, a position).

A call that might be waited in is never left out for being quiet: it only makes no frame.
"""

from __future__ import annotations

import os
import re

from labkit.conductor.tasks import Image, Made, Task
from labkit.kernel import ptrace
from labkit.kernel.calls import LOOKS, OUTPUT_FD
from labkit.kernel.peek import string
from labkit.launcher import MARKER

_MARKS = ("access", "faccessat", "faccessat2")

_LIBRARY = re.compile(
    r"(^|/)(ld\.so\.|lib[^/]*\.so|python3[^/]*\.zip|pyvenv\.cfg|pybuilddir\.txt|gconv|locale|nsswitch\.conf)"
    r"|\.(so|py|pyc|pth|_pth|egg-link|egg-info|dist-info)(\.[\d.]+)?$"
    r"|/(site|dist)-packages(/|$)|/lib(64)?/python3[^/]*(/|$)|^/etc/(ld\.so|localtime|terminfo|inputrc)"
    r"|^/usr/(lib|share)/(locale|zoneinfo|terminfo)|^/(usr/)?lib/terminfo|__pycache__|^/proc/(self|filesystems)"
    r"|^/dev/tty$|^/sys/(devices|fs)/|/openssl\.cnf$|^/etc/(host|resolv|gai)\.conf$"
)
_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
"""labkit itself, which need not be installed where libraries are."""
_TRIES_EPOLL = re.compile(r"/selectors(\.[\w-]+)?\.pyc?$")
"""A module of Python's that makes an epoll object when it is imported, to see whether that can be done."""
_LOADER = re.compile(r"/(ld-[^/]*|ld\.so|ld64)[^/]*$")
_LIBC = re.compile(r"/(libc[.-]|ld-musl)[^/]*$")
_PYTHON = re.compile(r"(^|/)python[\d.]*$")
_SHELL = re.compile(r"(^|/)(ba|da|k|z)?sh$")
_JOB_SIGNALS = (2, 3, 15, 17, 20, 21, 22, 28)
"""Signals whose handlers a shell changes for itself: SIGINT, SIGQUIT, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN…"""
_ON_PATH = {"open": 0, "openat": 1, "creat": 0, "openat2": 1}
_PATHS_OF = dict.fromkeys(("open", "creat", "unlink", "mkdir", "rename"), (0,)) | dict.fromkeys(
    ("openat", "openat2", "unlinkat", "mkdirat", "renameat", "renameat2"), (1,)
)
_ALWAYS = frozenset({"restart_syscall", "rt_sigpending", "sigaltstack", "prctl", "madvise", "fsync"})
_ON_FD = frozenset(
    [
        "read",
        "pread64",
        "readv",
        "preadv",
        "lseek",
        "close",
        "fcntl",
        "mmap",
        "dup",
        "pread",
        "ftruncate",
        "write",
        "writev",
        *("connect", "bind", "sendto", "recvfrom", "sendmsg", "recvmsg"),
    ]
)
_MAKES_FD = frozenset({"epoll_create1", "socket", "dup", *_ON_PATH})
_UNIX, _NETLINK = 1, 16
_FD_OF = {"mmap": 4}
_OFTEN_OWN = frozenset(
    [
        *(
            "rt_sigaction",
            "rt_sigprocmask",
            "rt_sigsuspend",
            "rt_sigtimedwait",
            "munmap",
            "mprotect",
            "mremap",
        ),
        *("fcntl", "lseek", "futex", "close", "dup", "socket", "getsockopt", "prlimit64"),
    ]
)
"""Calls that may change or ask only what is the process's own, or the C library's."""
_SOL_SOCKET = 1
_WHAT_KIND = {3, 30, 38, 39}
"""SO_TYPE, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN: libraries ask for them."""
_ASKS = {1, 3}
"""fcntl's F_GETFD and F_GETFL."""
_SETS_FD = 2
_CLOEXEC_DUP = 1030
_ALL_SIGNALS = 0xFFFFFFFFFFFFFFFF
_LIBRARYS_SIGNALS = 0x180000000
"""Signals 32 and 33, which a program cannot name: the C library takes them out of every set it is given."""
_SIGINT = 2


def is_quiet(task: Task, call: Made, instruction: int, *, everything: bool = False) -> bool:
    """True: this call makes no frame. Notices on the way where the program's own code begins."""
    image = task.process.image
    if call.name in LOOKS:
        if call.name in _MARKS and _path(task, call, 0 if call.name == "access" else 1) == MARKER:
            image.begun = True
        return True
    if call.name == "restart_syscall":
        return True
    if everything:
        image.begun = True
        return False
    if call.name in ("execve", "execveat"):
        return not image.begun or (call.name == "execve" and _is_found_further_on(task, call))
    if not _begun(task, call, instruction):
        return True
    if call.name in _ALWAYS or _in_library(task, call, instruction):
        return True
    return call.name in _OFTEN_OWN and (_of_libc(task, call) or _housekeeping(task, call))


def is_library(path: str) -> bool:
    """Does this path belong to a library, a module or the like?"""
    return bool(_LIBRARY.search(path))


def prepare(image: Image, pid: int, marked: bool) -> None:
    """A process has begun to execute another program."""
    try:
        image.program = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = [os.fsdecode(word) for word in file.read().split(b"\0")]
    except OSError:
        return
    image.loader, image.libc, image.begun, image.script, image.unread = None, None, False, None, None
    image.marked = marked or any(word.endswith("/labkit/launcher.py") for word in argv[1:3])
    if not image.marked and _PYTHON.search(image.program):
        image.script = next((w for w in argv[1:] if w and not w.startswith("-")), "")
        if "-c" in argv or "-m" in argv:
            image.script = ""


def after(task: Task, call: Made) -> None:
    """A call is done: keep track of descriptors that lead to libraries, and of mapped objects."""
    fds, shown, result = task.process.quiet_fds, task.process.shown, call.result or 0
    if call.name in _MAKES_FD and result >= 0:
        fds.discard(result)
        if task.quiet:
            fds.add(result)
    elif call.name == "close":
        fds.discard(call.args[0])
    elif call.name in ("dup2", "dup3") and result >= 0:
        fds.discard(call.args[1])
    elif call.name in ("mmap", "shmat") and result > 0 and not task.quiet:
        shown[result] = call.args[1] if call.name == "mmap" else 0
    elif call.name in ("munmap", "shmdt") and result == 0:
        shown.pop(call.args[0], None)


def output_fd(call: Made) -> int | None:
    """The descriptor a call puts bytes to, as a signed number, or None."""
    index = OUTPUT_FD.get(call.name)
    return None if index is None else signed32(call.args[index])


def signed32(value: int) -> int:
    """An `int` argument as C sees it."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def _begun(task: Task, call: Made, instruction: int) -> bool:
    """With -c, Python sets SIGINT's handler last."""
    image = task.process.image
    if not image.begun and not image.marked:
        if image.script:
            image.begun = call.name in _ON_PATH and _whole_path(task, call) == _whole(task, image.script)
            image.unread = _whole(task, image.script) if image.begun else None
            return False  # opening it is still the interpreter's doing
        if image.script is not None:
            image.begun = call.name == "rt_sigaction" and call.args[0] == _SIGINT
        else:
            image.begun = not _in_loader(task, instruction)
    return image.begun


def _reads_script(task: Task, call: Made) -> bool:
    """Python opens its script twice: to see whether it is an archive, and then, as C does, to read it."""
    image = task.process.image
    flags = call.args[_ON_PATH[call.name] + 1]
    if flags & os.O_CLOEXEC or _whole_path(task, call) != image.unread:
        return False
    image.unread = None
    return True


def _whole_path(task: Task, call: Made) -> str:
    return _whole(task, _path(task, call, _ON_PATH[call.name]))


def _whole(task: Task, path: str) -> str:
    """A path made absolute; a script's interpreter may do the same before it opens it."""
    try:
        folder = os.readlink(f"/proc/{task.process.pid}/cwd")
    except OSError:
        return path
    return os.path.normpath(os.path.join(folder, path))


def _in_loader(task: Task, instruction: int) -> bool:
    image = task.process.image
    if image.loader is None:
        image.loader = _find_code(task.process.pid, _LOADER)
    return image.loader[0] <= instruction < image.loader[1]


def _find_code(pid: int, which: re.Pattern[str]) -> tuple[int, int]:
    """Where a library lies in a process's memory; (0, 0) where it does not."""
    low, high = 0, 0
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split(maxsplit=5)
                if len(fields) > 5 and which.search(fields[5].strip()):
                    start, end = (int(word, 16) for word in fields[0].split("-"))
                    low, high = (low or start), max(high, end)
    except OSError:
        return 0, 0
    return low, high


def _in_library(task: Task, call: Made, instruction: int) -> bool:
    """A library or module being looked for, opened, read or mapped."""
    if call.name in _ON_FD:
        return (call.args[_FD_OF.get(call.name, 0)] & 0xFFFFFFFF) in task.process.quiet_fds or (
            call.name == "mmap" and _in_loader(task, instruction)
        )
    if call.name == "openat" and call.args[2] & os.O_DIRECTORY and _PYTHON.search(task.process.image.program):
        return _is_own_folder(task, call)
    if task.process.image.unread is not None and call.name in _ON_PATH and _reads_script(task, call):
        return True
    if call.name in _PATHS_OF:
        path = _path(task, call, _PATHS_OF[call.name][0])
        if _TRIES_EPOLL.search(path):
            task.process.image.will_try_epoll = True
        return path != task.process.image.script and bool(_LIBRARY.search(path))
    if call.name == "epoll_create1" and task.process.image.will_try_epoll:
        task.process.image.will_try_epoll = False
        return True
    return False


def _of_libc(task: Task, call: Made) -> bool:
    """`perror` makes a descriptor of its own; who looks names up, or waits for mq_notify, makes sockets."""
    if call.name != "dup" and not (call.name == "socket" and call.args[0] in (_UNIX, _NETLINK)):
        return False
    image = task.process.image
    if image.libc is None:
        image.libc = _find_code(task.process.pid, _LIBC)
    return image.libc[0] <= ptrace.return_address(task.tid, call.stack) < image.libc[1]


def _is_found_further_on(task: Task, call: Made) -> bool:
    """The program is not there, and is in a folder of PATH that will be tried after this one."""
    folder, _, name = _path(task, call, 0).rpartition("/")
    try:
        with open(f"/proc/{task.process.pid}/environ", "rb") as file:
            found = re.search(rb"(?:^|\0)PATH=([^\0]*)", file.read())
    except OSError:
        return False
    folders = os.fsdecode(found[1]).split(":") if found else []
    if folder not in folders or _is_program(task, f"{folder}/{name}"):
        return False
    return any(_is_program(task, f"{later}/{name}") for later in folders[folders.index(folder) + 1 :])


def _is_program(task: Task, path: str) -> bool:
    return os.access(f"/proc/{task.process.pid}/root{path}", os.X_OK) if path.startswith("/") else False


def _is_own_folder(task: Task, call: Made) -> bool:
    """Python looks for modules in the folder that a program began in, by its whole path."""
    path = _path(task, call, 1)
    if _LIBRARY.search(path) or path == _OURS or path.startswith(f"{_OURS}/"):
        return True
    try:
        return path == os.readlink(f"/proc/{task.process.pid}/cwd")
    except OSError:
        return False


def _housekeeping(task: Task, call: Made) -> bool:
    """Calls that change or ask only what is the process's own."""
    args, name = call.args, call.name
    if task.process.borrows and name in ("rt_sigaction", "rt_sigprocmask"):
        return True
    if name == "close" and signed32(args[0]) < 0 and _SHELL.search(task.process.image.program):
        return True
    if name.startswith("rt_sig") and _SHELL.search(task.process.image.program):
        return name != "rt_sigaction" or args[0] in _JOB_SIGNALS
    if name in ("munmap", "mprotect", "mremap"):
        shown = task.process.shown.items()
        return not any(at <= args[0] < at + max(size, 1) for at, size in shown)
    if name == "fcntl":
        return args[1] in _ASKS or args[1] == _SETS_FD or (args[1] == _CLOEXEC_DUP and args[2] > 9)
    if name == "lseek":
        return signed32(args[1]) == 0 and args[2] == 1
    if name == "futex":
        return bool(args[1] & 128) or args[1] & 127 not in (0, 1, 3, 4, 9, 10, 5)
    if name == "rt_sigaction":
        return args[1] == 0 or args[0] > 64 or args[0] in (32, 33) or _python_puts_back(task, call)
    if name == "rt_sigprocmask":
        return _library_masks(task, call)
    if name == "getsockopt":
        return args[1] == _SOL_SOCKET and args[2] in _WHAT_KIND
    return name == "prlimit64" and args[2] == 0 and signed32(args[0]) in (0, task.process.pid)


def _python_puts_back(task: Task, call: Made) -> bool:
    """At its end Python puts SIGINT back as it was; and at its start it takes it."""
    return call.args[0] == _SIGINT and bool(_PYTHON.search(task.process.image.program))


def _library_masks(task: Task, call: Made) -> bool:
    """The C library blocks signals that a program cannot name; all of them, to put that back at once."""
    if task.unmask_next:
        task.unmask_next = False
        return True
    if call.args[1] == 0:
        return True
    mask = int.from_bytes(_bytes(task, call.args[1], 8), "little")
    task.unmask_next = mask == _ALL_SIGNALS and call.args[0] == 0
    return bool(mask & _LIBRARYS_SIGNALS)


def _path(task: Task, call: Made, index: int) -> str:
    return string(task.process.pid, call.args[index])


def _bytes(task: Task, address: int, size: int) -> bytes:
    from labkit.kernel.peek import content

    return content(task.process.pid, address, size)
