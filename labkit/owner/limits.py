"""How much a program may use before it is ended, so that the notebook goes on whatever it does.

Some facts:

- RLIMIT_NPROC counts all processes of a user, and does not bind root (setrlimit(2)); counting a
  program's own processes binds everybody.
- RLIMIT_AS also counts what is only reserved; sanitizers and some runtimes reserve terabytes. What a
  process really uses is its resident memory.
- In a container the machine's memory is not the limit, the cgroup's is.
- A higher oom_score_adj makes the kernel choose a process first when memory runs out.

What follows for us: processes and memory are counted while programs run, and a program over its limit
is ended whole. RLIMIT_NPROC slows a fork bomb down where it can.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
from collections.abc import Iterable

MOST_PROCESSES = 400
_SPARE_PROCESSES = 600
_OOM_SCORE = "500"
_PAGE = resource.getpagesize()


def of_process() -> dict[int, int]:
    """The resource limits a program starts with."""
    return {resource.RLIMIT_CORE: 0, resource.RLIMIT_NPROC: _all_tasks() + _SPARE_PROCESSES}


def prefer_to_kill(pid: int) -> None:
    """When memory runs out, the kernel shall choose this process before the notebook's."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
        file.write(_OOM_SCORE)


def exceeded(pids: list[int]) -> tuple[str, str] | None:
    """Which limit these processes are over, and the limit in words."""
    if len(pids) > MOST_PROCESSES:
        return "processes", str(MOST_PROCESSES)
    if _resident(pids) > memory():
        return "memory", in_words(memory())
    return None


def in_words(size: int) -> str:
    """Bytes as a person says them: `1.5 GB`."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"


@functools.cache
def memory() -> int:
    """How many bytes a program may use: half of what there is for all of us, if nobody says otherwise."""
    said = os.environ.get("LABKIT_MEMORY_BYTES", "")
    if said.isdigit():
        return int(said)
    whole = os.sysconf("SC_PHYS_PAGES") * _PAGE
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            whole = min(whole, int(file.read()))
    return whole // 2


def _resident(pids: Iterable[int]) -> int:
    """Bytes in memory: private pages of each, and the most that one of them shares."""
    sizes = [_pages(pid) for pid in pids]
    return (sum(private for private, _ in sizes) + max((shared for _, shared in sizes), default=0)) * _PAGE


def _pages(pid: int) -> tuple[int, int]:
    """Resident pages: private, and shared or of files."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared = map(int, file.read().split()[:3])
    except (OSError, ValueError):
        return 0, 0
    return resident - shared, shared


def _all_tasks() -> int:
    with open("/proc/loadavg", "rb") as file:
        return int(file.read().split()[3].split(b"/")[1])
