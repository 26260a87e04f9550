"""Who could help a process without any descriptor: those in its memory, tracers, timers, the kernel.

- clone(2) with CLONE_VM and without CLONE_THREAD makes a process in the same memory (vfork does, until
  its child ends or executes): it can wake a futex that is "private". kcmp(2) with KCMP_VM tells; where
  it is refused, two processes count as sharing when stack, arguments, size and resident size are one.
  A thread that has ended has no memory, as all zombies and the kernel's own threads: to kcmp they are one.
- A tracer's wait4 ends for those it traces too, who need not be its children (ptrace(2)).
- A thread may have a table of descriptors for itself (unshare(2) with CLONE_FILES; kcmp, KCMP_FILES):
  /proc/PID/fd shows only the main thread's.
- /proc/PID/timers lists what timer_create(2) made, not when it rings. alarm(2) and setitimer(2) are
  shown nowhere.
- What was handed to the kernel by io_submit(2) or io_uring_enter(2) goes on while its process sleeps, and
  may count up an eventfd when it is done. A ring's memory stays mapped, also when its descriptor was closed.

All these are rare, and take a walk through /proc: they are asked for only before anything is claimed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labkit.errors import Vanished
from labkit.kernel import proc, rights, syscalls
from labkit.scene import Other

if TYPE_CHECKING:
    from labkit.look import Look


def sharers(pid: int, witness: int) -> tuple[int, ...]:
    """All others that live in this process's memory, in the picture or not; the witness lives."""
    return tuple(other for other in proc.numbers_in(b"/proc") if other != pid and shares(witness, other))


def shares(one: int, other: int) -> bool:
    """Do these two live in the same memory?"""
    return _same_memory(one, other) if rights.allowed("kcmp") else _same_outline(one, other)


def _same_memory(one: int, other: int) -> bool:
    try:
        return syscalls.kcmp(one, other, syscalls.KCMP_VM, 0, 0) == 0
    except OSError:  # gone, or another user's
        return False


def _same_outline(one: int, other: int) -> bool:
    outline = _outline(one)
    return outline is not None and outline == _outline(other)


_SIZE, _RESIDENT, _STACK, _ARGUMENTS = 20, 21, 25, 45
"""Fields of /proc/PID/stat, counted from the one behind the name."""


def _outline(pid: int) -> tuple[bytes, ...] | None:
    try:
        fields = proc.read(b"/proc/%d/stat" % pid).rpartition(b")")[2].split()
    except (Vanished, PermissionError):
        return None
    stack = fields[_STACK]
    return (
        (fields[_SIZE], fields[_RESIDENT], stack, fields[_ARGUMENTS]) if stack not in (b"0", b"1") else None
    )


def common_memory(look: Look, pid: int) -> str | None:
    """The id of a process's memory when others live in it too."""
    others = sharers(pid, look.seen[pid].witness)
    if not others:
        return None
    id = look.reach("other", ("memory", min(pid, *others)))
    note = f"shared by the processes {', '.join(map(str, sorted((pid, *others))))}: clone with CLONE_VM"
    look.add(Other(id=id, kind="other", name="memory of several processes", notes=(note,)))
    return id


def tracees(look: Look, pid: int) -> tuple[int, ...]:
    """Whom this process traces, in the picture or not."""
    if "traced by" not in look.kept:
        look.kept["traced by"] = {other: _tracer(other) for other in proc.numbers_in(b"/proc")}
    mine = look.seen[pid].threads
    return tuple(other for other, tracer in look.kept["traced by"].items() if tracer in mine)


def _tracer(pid: int) -> int:
    try:
        numbers = proc.parse_numbers(proc.read(b"/proc/%d/status" % pid), b"TracerPid")
    except (Vanished, PermissionError):
        return 0
    return numbers[0] if numbers else 0


def own_table(pid: int, threads: tuple[int, ...]) -> bool:
    """Has one of these threads of the process a table of descriptors for itself?"""
    different = _another_table if rights.allowed("kcmp") else _another_list
    try:
        return any(different(pid, tid) for tid in threads if tid != pid)
    except OSError:  # gone: whoever claims something looks again
        return False


def _another_table(pid: int, tid: int) -> bool:
    return syscalls.kcmp(pid, tid, syscalls.KCMP_FILES, 0, 0) != 0


def _another_list(pid: int, tid: int) -> bool:
    return os.listdir(f"/proc/{pid}/fd") != os.listdir(f"/proc/{pid}/task/{tid}/fd")


def has_timers(pid: int) -> bool:
    """Has it made timers that send signals? What is not shown counts as none."""
    return bool(_shown(b"/proc/%d/timers" % pid))


def kernel_works_for(pid: int) -> bool:
    """Has it given the kernel work that is done while it sleeps?"""
    maps = _shown(b"/proc/%d/maps" % pid)
    return b"/[aio]" in maps or b"[io_uring]" in maps


def _shown(path: bytes) -> bytes:
    try:
        return proc.read(path, whole=True)
    except (Vanished, OSError):
        return b""
