"""Names for the bits and choices in system calls' arguments, as the manual pages write them.

Some facts about flags:

- A set of flags is a number whose bits have names (open(2)); a choice is a number with one name (fcntl(2)).
- A few values differ between x86-64 and arm64: of those the course uses only O_DIRECTORY, O_NOFOLLOW and
  O_DIRECT, which Python's `os` module knows for the machine it was built for.
- The C library adds bits of its own: O_LARGEFILE in `open`, SA_RESTORER in `sigaction` on x86-64.

What follows for us: names come from Python's own modules where those have them, and bits with no name are
shown as a number, so that nothing is lost.
"""

from __future__ import annotations

import os
import resource
import socket

OPEN = {
    name: getattr(os, name)
    for name in (
        "O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_NONBLOCK", "O_CLOEXEC", "O_SYNC", "O_DSYNC",
        "O_DIRECTORY", "O_NOFOLLOW", "O_PATH", "O_TMPFILE", "O_NOCTTY", "O_DIRECT", "O_ASYNC",
    )
    if hasattr(os, name)
}  # fmt: skip
PROT = {"PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4}
MAP = {
    "MAP_SHARED": 1, "MAP_PRIVATE": 2, "MAP_FIXED": 0x10, "MAP_ANONYMOUS": 0x20, "MAP_GROWSDOWN": 0x100,
    "MAP_LOCKED": 0x2000, "MAP_NORESERVE": 0x4000, "MAP_POPULATE": 0x8000, "MAP_STACK": 0x20000,
}  # fmt: skip
MSYNC = {"MS_ASYNC": 1, "MS_INVALIDATE": 2, "MS_SYNC": 4}
CLONE = {
    "CLONE_VM": 0x100, "CLONE_FS": 0x200, "CLONE_FILES": 0x400, "CLONE_SIGHAND": 0x800, "CLONE_PIDFD": 0x1000,
    "CLONE_VFORK": 0x4000, "CLONE_PARENT": 0x8000, "CLONE_THREAD": 0x10000, "CLONE_NEWNS": 0x20000,
    "CLONE_SYSVSEM": 0x40000, "CLONE_SETTLS": 0x80000, "CLONE_PARENT_SETTID": 0x100000,
    "CLONE_CHILD_CLEARTID": 0x200000, "CLONE_CHILD_SETTID": 0x1000000, "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000, "CLONE_NEWPID": 0x20000000, "CLONE_NEWNET": 0x40000000,
    "CLONE_NEWUTS": 0x4000000, "CLONE_NEWCGROUP": 0x2000000,
}  # fmt: skip
CLONE_NUMBERS = 0x1380000
"""Of these, SETTLS, PARENT_SETTID, CHILD_CLEARTID, CHILD_SETTID: they say only where numbers are put."""
WAIT = {
    "WNOHANG": 1, "WUNTRACED": 2, "WEXITED": 4, "WCONTINUED": 8, "WNOWAIT": 0x1000000,
    "__WNOTHREAD": 0x20000000, "__WALL": 0x40000000, "__WCLONE": 0x80000000,
}  # fmt: skip
IPC = {"IPC_CREAT": 0o1000, "IPC_EXCL": 0o2000, "IPC_NOWAIT": 0o4000}
SHMAT = {"SHM_RDONLY": 0o10000, "SHM_RND": 0o20000, "SHM_REMAP": 0o40000}
MSGFLAGS = {"IPC_NOWAIT": 0o4000, "MSG_NOERROR": 0o10000, "MSG_EXCEPT": 0o20000, "MSG_COPY": 0o40000}
SEMBUF = {"IPC_NOWAIT": 0o4000, "SEM_UNDO": 0x1000}
POLL = {
    "POLLIN": 1,
    "POLLPRI": 2,
    "POLLOUT": 4,
    "POLLERR": 8,
    "POLLHUP": 16,
    "POLLNVAL": 32,
    "POLLRDHUP": 0x2000,
}
EPOLL = {
    "EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 16, "EPOLLRDHUP": 0x2000,
    "EPOLLEXCLUSIVE": 1 << 28, "EPOLLONESHOT": 1 << 30, "EPOLLET": 1 << 31,
}  # fmt: skip
MESSAGES = {
    "MSG_OOB": 1, "MSG_PEEK": 2, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40, "MSG_EOR": 0x80,
    "MSG_CTRUNC": 8, "MSG_WAITALL": 0x100,
    "MSG_NOSIGNAL": 0x4000, "MSG_CMSG_CLOEXEC": 0x40000000,
}  # fmt: skip
SEALS = {"F_SEAL_SEAL": 1, "F_SEAL_SHRINK": 2, "F_SEAL_GROW": 4, "F_SEAL_WRITE": 8, "F_SEAL_FUTURE_WRITE": 16}
SIGACTION = {
    "SA_NOCLDSTOP": 1, "SA_NOCLDWAIT": 2, "SA_SIGINFO": 4, "SA_ONSTACK": 0x08000000, "SA_RESTART": 0x10000000,
    "SA_NODEFER": 0x40000000, "SA_RESETHAND": 0x80000000,
}  # fmt: skip

INOTIFY = {
    "IN_ACCESS": 1, "IN_MODIFY": 2, "IN_ATTRIB": 4, "IN_CLOSE_WRITE": 8, "IN_CLOSE_NOWRITE": 16,
    "IN_OPEN": 32, "IN_MOVED_FROM": 64, "IN_MOVED_TO": 128, "IN_CREATE": 256, "IN_DELETE": 512,
    "IN_DELETE_SELF": 1024, "IN_MOVE_SELF": 2048, "IN_UNMOUNT": 0x2000, "IN_Q_OVERFLOW": 0x4000,
    "IN_IGNORED": 0x8000, "IN_ONLYDIR": 0x1000000, "IN_EXCL_UNLINK": 0x4000000, "IN_ISDIR": 0x40000000,
    "IN_ONESHOT": 0x80000000,
}  # fmt: skip
SOCKET_KINDS = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}
SOCKET_FLAGS = {"SOCK_NONBLOCK": 0x800, "SOCK_CLOEXEC": 0x80000}
_LEVELS = {
    socket.SOL_SOCKET: "SO_", socket.IPPROTO_TCP: "TCP_", socket.IPPROTO_UDP: "UDP_",
    socket.IPPROTO_IP: "IP_", socket.IPPROTO_IPV6: "IPV6_",
}  # fmt: skip
SOCKET_OPTIONS = {
    (level, value): name
    for level, prefix in _LEVELS.items()
    for name, value in sorted(vars(socket).items(), key=lambda item: -len(item[0]))
    if name.startswith(prefix) and isinstance(value, int)
}
"""By level and number. (Of two names, the shorter is the older.)"""
LIMITS = {
    getattr(resource, name): name
    for name in sorted(dir(resource), reverse=True)
    if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
}

FLAG_SETS = {
    "map": MAP, "msync": MSYNC, "wait": WAIT, "shmflags": SHMAT, "msgflags": MSGFLAGS, "msg": MESSAGES,
    "flock": {"LOCK_SH": 1, "LOCK_EX": 2, "LOCK_NB": 4, "LOCK_UN": 8},
    "memfd": {"MFD_CLOEXEC": 1, "MFD_ALLOW_SEALING": 2, "MFD_HUGETLB": 4},
    "eventfd": {"EFD_SEMAPHORE": 1, "EFD_CLOEXEC": 0x80000, "EFD_NONBLOCK": 0x800},
    "epollflags": {"EPOLL_CLOEXEC": 0x80000},
    "splice": {"SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4},
    "sleepflags": {"TIMER_ABSTIME": 1},
    "prot": PROT,
    "at": {"AT_SYMLINK_NOFOLLOW": 0x100, "AT_REMOVEDIR": 0x200, "AT_SYMLINK_FOLLOW": 0x400,
           "AT_EMPTY_PATH": 0x1000},
    "rename": {"RENAME_NOREPLACE": 1, "RENAME_EXCHANGE": 2},
    "closerange": {"CLOSE_RANGE_UNSHARE": 2, "CLOSE_RANGE_CLOEXEC": 4},
    "fallocate": {"FALLOC_FL_KEEP_SIZE": 1, "FALLOC_FL_PUNCH_HOLE": 2},
    "mremap": {"MREMAP_MAYMOVE": 1, "MREMAP_FIXED": 2, "MREMAP_DONTUNMAP": 4},
    "signalfd": {"SFD_CLOEXEC": 0x80000, "SFD_NONBLOCK": 0x800},
    "timerfd": {"TFD_CLOEXEC": 0x80000, "TFD_NONBLOCK": 0x800},
    "inotifyflags": {"IN_CLOEXEC": 0x80000, "IN_NONBLOCK": 0x800},
    "inotify": INOTIFY,
    "cloneflags": CLONE,
    "uring": {"IORING_ENTER_GETEVENTS": 1, "IORING_ENTER_SQ_WAKEUP": 2, "IORING_ENTER_SQ_WAIT": 4},
    "zero": {},
}  # fmt: skip
"""Argument words of `labkit/kernel/calls.py` that are sets of flags."""

FAMILIES = {int(v): v.name for v in socket.AddressFamily}

CHOICES: dict[str, dict[int, str]] = {
    "seek": {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END"},
    "fcntl": {
        0: "F_DUPFD", 1: "F_GETFD", 2: "F_SETFD", 3: "F_GETFL", 4: "F_SETFL", 5: "F_GETLK", 6: "F_SETLK",
        7: "F_SETLKW", 8: "F_SETOWN", 9: "F_GETOWN", 10: "F_SETSIG", 36: "F_OFD_GETLK", 37: "F_OFD_SETLK",
        38: "F_OFD_SETLKW", 1024: "F_SETLEASE", 1030: "F_DUPFD_CLOEXEC", 1031: "F_SETPIPE_SZ",
        1032: "F_GETPIPE_SZ", 1033: "F_ADD_SEALS", 1034: "F_GET_SEALS",
    },
    "sighow": {0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"},
    "ipccmd": {0: "IPC_RMID", 1: "IPC_SET", 2: "IPC_STAT", 3: "IPC_INFO", 11: "MSG_STAT", 13: "SHM_STAT"},
    "semcmd": {
        0: "IPC_RMID", 1: "IPC_SET", 2: "IPC_STAT", 11: "GETPID", 12: "GETVAL", 13: "GETALL", 14: "GETNCNT",
        15: "GETZCNT", 16: "SETVAL", 17: "SETALL", 18: "SEM_STAT",
    },
    "msgtype": {0: "any type"},
    "epollop": {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"},
    "how": {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"},
    "idtype": {0: "any child", 1: "P_PID", 2: "P_PGID", 3: "P_PIDFD"},
    "clock": {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 7: "CLOCK_BOOTTIME"},
    "itimer": {0: "ITIMER_REAL", 1: "ITIMER_VIRTUAL", 2: "ITIMER_PROF"},
    "family": FAMILIES,
    "madvise": {
        0: "MADV_NORMAL", 1: "MADV_RANDOM", 2: "MADV_SEQUENTIAL", 3: "MADV_WILLNEED", 4: "MADV_DONTNEED",
        8: "MADV_FREE", 9: "MADV_REMOVE", 10: "MADV_DONTFORK", 11: "MADV_DOFORK", 18: "MADV_WIPEONFORK",
    },
    "rlimit": LIMITS,
    "seccomp": {
        0: "SECCOMP_SET_MODE_STRICT", 1: "SECCOMP_SET_MODE_FILTER", 2: "SECCOMP_GET_ACTION_AVAIL",
        3: "SECCOMP_GET_NOTIF_SIZES",
    },
    "futexop": {
        bits | op: name
        for bits in (0, 128, 256, 384)
        for op, name in {0: "FUTEX_WAIT", 1: "FUTEX_WAKE", 3: "FUTEX_REQUEUE", 4: "FUTEX_CMP_REQUEUE",
                         5: "FUTEX_WAKE_OP", 6: "FUTEX_LOCK_PI", 7: "FUTEX_UNLOCK_PI", 9: "FUTEX_WAIT",
                         10: "FUTEX_WAKE"}.items()
    },
    "ptrace": {
        0: "PTRACE_TRACEME", 1: "PTRACE_PEEKTEXT", 2: "PTRACE_PEEKDATA", 3: "PTRACE_PEEKUSER",
        4: "PTRACE_POKETEXT", 5: "PTRACE_POKEDATA", 6: "PTRACE_POKEUSER", 7: "PTRACE_CONT", 8: "PTRACE_KILL",
        9: "PTRACE_SINGLESTEP", 16: "PTRACE_ATTACH", 17: "PTRACE_DETACH", 24: "PTRACE_SYSCALL",
        0x4200: "PTRACE_SETOPTIONS", 0x4201: "PTRACE_GETEVENTMSG", 0x4202: "PTRACE_GETSIGINFO",
        0x4204: "PTRACE_GETREGSET", 0x4205: "PTRACE_SETREGSET", 0x4206: "PTRACE_SEIZE",
        0x4207: "PTRACE_INTERRUPT", 0x4208: "PTRACE_LISTEN", 0x420E: "PTRACE_GET_SYSCALL_INFO",
    },
    "prctl": {1: "PR_SET_PDEATHSIG", 15: "PR_SET_NAME", 22: "PR_SET_SECCOMP", 36: "PR_SET_CHILD_SUBREAPER",
    38: "PR_SET_NO_NEW_PRIVS"},
}  # fmt: skip
"""Argument words that are one of several values."""

FRIENDLY = {
    "semtimedop": "semop", "openat": "open", "pipe2": "pipe", "exit_group": "exit", "pread64": "pread",
    "pwrite64": "pwrite", "rt_sigaction": "sigaction", "rt_sigprocmask": "sigprocmask",
    "rt_sigsuspend": "sigsuspend", "rt_sigtimedwait": "sigtimedwait", "rt_sigqueueinfo": "sigqueue",
    "mq_timedsend": "mq_send", "mq_timedreceive": "mq_receive", "eventfd2": "eventfd",
    "signalfd4": "signalfd", "pselect6": "pselect", "prlimit64": "prlimit",
    "mknodat": "mknod", "mkdirat": "mkdir", "symlinkat": "symlink", "renameat": "rename",
    "faccessat": "access", "readlinkat": "readlink", "newfstatat": "stat",
}  # fmt: skip
"""The C library's name, where a programmer would not know the kernel's."""

PLAINER = {
    "sendto": ("send", 4), "recvfrom": ("recv", 4), "epoll_pwait": ("epoll_wait", 4), "ppoll": ("poll", 3),
    "pselect6": ("select", 5), "accept4": ("accept", 3), "dup3": ("dup2", 2), "unlinkat": ("unlink", 2),
    "linkat": ("link", 4), "renameat2": ("rename", 4), "faccessat2": ("access", 3),
}  # fmt: skip
"""What a call is called when an argument of it is 0: that makes it the older, simpler one."""


def names(value: int, table: dict[str, int]) -> str:
    """`A|B`, and what is left as a number; `0` for nothing."""
    found = []
    for name, bits in sorted(table.items(), key=lambda item: -item[1].bit_count()):
        if bits and value & bits == bits:
            found.append(name)
            value &= ~bits
    order = [name for name in table if name in found]
    return "|".join(order + ([hex(value)] if value else [])) or "0"
