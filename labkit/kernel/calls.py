"""The system calls that matter in this course: what their arguments are, and what kind of call each is.

Some facts about system calls (syscalls(2)):

- The kernel sees numbers only: a path is an address, a flag a bit. What they mean depends on the call.
- The C library's names are not always the kernel's: `semop` arrives as `semtimedop`, `fork` as `clone`,
  `waitpid` as `wait4`, `usleep` as `clock_nanosleep`.
- Lengths come from other arguments: of `write(fd, buffer, size)` the kernel reads `size` bytes at
  `buffer`; of `read` it has filled as many as the result says.

What follows for us: one table, a line a call. Each word after the name is an argument: what it is, in
the words below. The last word but one, after `->`, is what the result is; the mark at the end of a line
says who could notice the call:

    .   nobody but the process itself (it makes something new, or changes only its own tables)
    !   others may: explore asks here who goes next

Argument words: `in`, `out`: bytes, whose length is the next argument; `out` is filled by the call.
`-`: of no interest. The others name themselves; `labkit/decode/` has a function for each.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = """
read              fd out size                            -> bytes    !
pread64           fd out size offset                     -> bytes    !
readv             fd outiov int                          -> bytes    !
preadv            fd outiov int offset                   -> bytes    !
preadv2           fd outiov int offset - zero-> bytes    !
write             fd in size                             -> count    !
pwrite64          fd in size offset                      -> count    !
writev            fd iniov int                           -> count    !
pwritev           fd iniov int offset                    -> count    !
pwritev2          fd iniov int offset - zero-> count    !
lseek             fd offset seek                         -> offset   !
sendfile          fd fd ptr size                         -> count    !
copy_file_range   fd ptr fd ptr size zero-> count    !
splice            fd - fd - size splice                  -> count    !
tee               fd fd size splice                      -> count    !
vmsplice          fd iniov int splice                    -> count    !
close             fd                                     -> zero     !
close_range       fd lastfd closerange   -> zero     !
dup               fd                                     -> fd       .
dup2              fd fd                                  -> fd       !
dup3              fd fd open             -> fd       !
fcntl             fd fcntl fcntlarg                      -> fcntl    !
flock             fd flock                               -> zero     !
pipe              newfds                                 -> zero     .
pipe2             newfds open                            -> zero     .
open              path open mode                         -> fd       !
openat            dirfd path open mode                   -> fd       !
openat2           dirfd path ptr size                    -> fd       !
creat             path mode                              -> fd       !
unlink            path                                   -> zero     !
unlinkat          dirfd path at          -> zero     !
rename            path path                              -> zero     !
renameat          dirfd path dirfd path                  -> zero     !
renameat2         dirfd path dirfd path rename-> zero     !
link              path path                              -> zero     !
linkat            dirfd path dirfd path at-> zero     !
symlink           path path                              -> zero     !
symlinkat         path dirfd path                        -> zero     !
mkdir             path mode                              -> zero     !
mkdirat           dirfd path mode                        -> zero     !
rmdir             path                                   -> zero     !
mknod             path mknod -                           -> zero     !
mknodat           dirfd path mknod -                     -> zero     !
truncate          path size                              -> zero     !
ftruncate         fd size                                -> zero     !
fsync             fd                                     -> zero     !
fdatasync         fd                                     -> zero     !
fallocate         fd fallocate offset size-> zero     !
fork                                                     -> pid      .
vfork                                                    -> pid      .
clone             clone - - - -                          -> pid      .
clone3            clone3 -                               -> pid      .
execve            path argv -                            -> zero     .
execveat          dirfd path argv - int                  -> zero     .
wait4             waitfor status wait -                  -> pid      !
waitid            idtype waitid siginfo wait --> child    !
exit              int                                    -> none     !
exit_group        int                                    -> none     !
setpgid           pid pid                                -> zero     !
setsid                                                   -> pid      !
unshare           cloneflags             -> zero     .
setns             fd cloneflags          -> zero     .
chdir             path                   -> zero     .
fchdir            fd                     -> zero     .
chroot            path                   -> zero     .
prlimit64         otherpid rlimit rlimitval - -> zero     .
prctl             prctl int                              -> int      .
seccomp           seccomp zero -                         -> int      .
ptrace            ptrace tracee - -      -> int      !
kill              killpid sig                            -> zero     !
tkill             pid sig                                -> zero     !
tgkill            pid pid sig                            -> zero     !
rt_sigqueueinfo   pid sig sigval         -> zero     !
rt_tgsigqueueinfo pid pid sig sigval     -> zero     !
pidfd_open        pid open               -> fd       !
pidfd_send_signal fd sig - zero          -> zero     !
pidfd_getfd       fd fd zero             -> fd       !
rt_sigaction      sig sigaction - -                      -> zero     .
rt_sigprocmask    sighow sigset - -                      -> zero     .
rt_sigpending     - -                                    -> zero     !
rt_sigsuspend     sigset -                               -> zero     !
rt_sigtimedwait   sigset siginfo timespec --> sig      !
rt_sigreturn                                             -> none     .
sigaltstack       - -                                    -> zero     .
pause                                                    -> zero     !
alarm             seconds                                -> int      !
setitimer         itimer itimerval -                     -> zero     !
timer_create      clock sigevent -       -> zero     .
timer_settime     int sleepflags itimerspec --> zero     !
timer_delete      int                                    -> zero     .
nanosleep         timespec -                             -> zero     !
clock_nanosleep   clock sleepflags timespec -            -> zero     !
sched_yield                                              -> zero     !
mmap              addr size prot map fd offset           -> addr     .
munmap            addr size                              -> zero     .
mremap            addr size size mremap newaddr-> addr     .
mprotect          addr size prot                         -> zero     .
msync             addr size msync                        -> zero     !
madvise           addr size madvise                      -> zero     .
memfd_create      string memfd                           -> fd       .
process_vm_readv  pid outiov int iov int zero-> bytes    !
process_vm_writev pid iniov int iov int zero-> count    !
shmget            key size ipcflags                      -> shmid    !
shmat             shmid addr shmflags                    -> addr     !
shmdt             addr                                   -> zero     !
shmctl            shmid ipccmd -                         -> int      !
semget            key int ipcflags                       -> semid    !
semop             semid sembuf int                       -> zero     !
semtimedop        semid sembuf int timespec              -> zero     !
semctl            semid int semcmd semarg-> semctl   !
msgget            key ipcflags                           -> msqid    !
msgsnd            msqid msgbuf size msgflags             -> zero     !
msgrcv            msqid - size msgtype msgflags          -> message  !
msgctl            msqid ipccmd -                         -> int      !
mq_open           mqname open mode mqattr                -> fd       !
mq_unlink         mqname                                 -> zero     !
mq_timedsend      fd in size int timespec                -> zero     !
mq_timedreceive   fd out size uintptr timespec-> mqbytes  !
mq_notify         fd mqnotify                            -> zero     !
mq_getsetattr     fd mqset -             -> zero     !
futex             futex futexop futexval - futexptr --> int      !
poll              pollfds int ms         -> poll     !
ppoll             pollfds int timespec - --> poll     !
select            int fdset fdset fdset timeval-> select   !
pselect6          int fdset fdset fdset timespec --> select   !
epoll_create      int                                    -> fd       .
epoll_create1     epollflags                             -> fd       .
epoll_ctl         fd epollop fd epollevent               -> zero     !
epoll_wait        fd - int ms                            -> epoll    !
epoll_pwait       fd - int ms - -                        -> epoll    !
epoll_pwait2      fd - int timespec - -                  -> epoll    !
eventfd           int                                    -> fd       .
eventfd2          int eventfd                            -> fd       .
timerfd_create    clock timerfd          -> fd       .
timerfd_settime   fd sleepflags itimerspec --> zero     !
timerfd_gettime   fd -                                   -> zero     !
io_uring_setup    int ptr                -> fd       .
io_uring_enter    fd int int uring - -   -> count    !
signalfd          fd sigset -                            -> fd       .
signalfd4         fd sigset - signalfd   -> fd       .
inotify_init1     inotifyflags           -> fd       .
inotify_add_watch fd path inotify        -> int      !
inotify_rm_watch  fd int                 -> zero     .
socket            family socktype protocol               -> fd       .
socketpair        family socktype protocol newfds        -> zero     .
bind              fd sockaddr len                        -> zero     !
listen            fd int                                 -> zero     !
connect           fd sockaddr len                        -> zero     !
accept            fd outaddr -                           -> fd       !
accept4           fd outaddr - socktype                  -> fd       !
shutdown          fd how                                 -> zero     !
sendto            fd in size msg sockaddr len            -> count    !
recvfrom          fd out size msg outaddr -              -> bytes    !
sendmsg           fd inmsg msg                           -> count    !
recvmsg           fd outmsg msg                          -> count    !
sendmmsg          fd - int msg                           -> count    !
recvmmsg          fd - int msg timespec                  -> count    !
setsockopt        fd sockopt - sockval len-> zero     .
getsockopt        fd sockopt - -         -> sockval  .
restart_syscall                                          -> int      !
"""

_LOOKS = """
access            path -                                 -> zero     !
faccessat         dirfd path -                           -> zero     !
faccessat2        dirfd path - -                         -> zero     !
stat              path -                                 -> zero     !
lstat             path -                                 -> zero     !
newfstatat        dirfd path - -                         -> zero     !
statx             dirfd path - - -                       -> zero     !
readlink          path - -                               -> int      !
readlinkat        dirfd path - -                         -> int      !
"""
"""Calls that ask what a path leads to. Libraries make many of them: they matter where another changes it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the table."""

    name: str
    args: tuple[str, ...]
    result: str
    own: bool
    """True: nobody but the process that makes it can notice it."""


def _parse(line: str) -> Call:
    left, right = line.split("->")
    name, *args = left.split()
    result, mark = right.split()
    return Call(name, tuple(args), result, mark == ".")


def _parsed(table: str) -> dict[str, Call]:
    return {call.name: call for call in map(_parse, table.strip().splitlines())}


CALLS = _parsed(_TABLE)
"""By the kernel's name."""

LOOKS = _parsed(_LOOKS)
"""Likewise, those that only look at a path: no frame, and a point of `explore` only where it is one."""

TIMEOUTS: dict[str, tuple[int, str]] = {
    name: (index, word)
    for name, call in CALLS.items()
    for index, word in enumerate(call.args)
    if word in ("ms", "timespec", "timeval")
} | {"futex": (3, "timespec")}
"""Calls that may end by themselves after a time: which argument says so, and in what form. (Of `futex`, in
its operations that wait; in others this argument is something else, and so it has no word in the table.)"""

OUTPUT_FD: dict[str, int] = {
    "write": 0, "writev": 0, "pwrite64": 0, "pwritev": 0, "pwritev2": 0, "sendfile": 0, "copy_file_range": 2,
    "splice": 2, "tee": 1, "vmsplice": 0,
}  # fmt: skip
"""Calls that put bytes somewhere: which argument is the descriptor they go to."""

KEEPS_DESCRIPTORS = frozenset(
    [
        *(
            "read",
            "pread64",
            "readv",
            "write",
            "pwrite64",
            "writev",
            "lseek",
            "sched_yield",
            "wait4",
            "waitid",
        ),
        *(
            "kill",
            "flock",
            "futex",
            "pause",
            "poll",
            "ppoll",
            "select",
            "pselect6",
            "epoll_wait",
            "epoll_pwait",
        ),
        *("semop", "semtimedop", "msgsnd", "msgrcv", "nanosleep", "clock_nanosleep"),
    ]
)
"""Calls that leave all tables of descriptors, and all mappings, as they are: only the frequent ones."""

SENDS_SIGNALS = frozenset(
    [
        "kill",
        "tkill",
        "tgkill",
        "rt_sigqueueinfo",
        "rt_tgsigqueueinfo",
        "pidfd_send_signal",
        "exit",
        "exit_group",
    ]
)
"""Calls after which another process may be gone at once, even one that stands still."""
