"""Whether a process has touched memory that it shares with others, since a moment.

Some facts about /proc/PID/clear_refs and smaps (proc_pid_clear_refs(5), proc_pid_smaps(5)):

- The processor marks each page it uses. Writing 1 to `clear_refs` takes all marks of a process away;
  `Referenced` in `smaps` says for each mapping how much has been marked since.
- The processor keeps recent marks in a cache of its own (the TLB) and then does not mark again. Writing 4
  empties that cache, among other things.
- Right after fork a child has no page of a shared mapping in its tables: they come when it uses them.

What follows for us: clear with 1, then 4; run the process; read `Referenced` of its shared, writable
mappings. More than 0 may be a false alarm; 0 is certain.
"""

from __future__ import annotations

import os
import re
import struct

_HEADER = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ (\S{4}) ")
_SHARED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) (\S\S\Ss) .*$", re.MULTILINE)
_PAGE = os.sysconf("SC_PAGESIZE")
_PRESENT = 1 << 63


class Fresh:
    """A process just born: has it touched memory it shares? Its tables had no such page at birth."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def happened(self) -> bool:
        """True: it has, or may have."""
        return any(_has_pages(self._pid, start, end) for start, end in _ranges(self._pid))


class Touch:
    """From now on: has this process touched memory it shares?"""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._shares = bool(_ranges(pid))
        if self._shares:
            for word in ("1", "4"):
                with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                    file.write(word)

    def happened(self) -> bool:
        """True: it has, or may have. Also when mappings were made meanwhile."""
        return bool(_ranges(self._pid)) and (not self._shares or any(_shared(self._pid).values()))


def _shared(pid: int) -> dict[int, int]:
    """Kilobytes used since, of each shared mapping that somebody may write to."""
    found: dict[int, int] = {}
    counts, number = False, 0
    for line in _read(f"/proc/{pid}/smaps").splitlines():
        header = _HEADER.match(line)
        if header:
            number += 1
            counts = header[1][3:4] == b"s" and not (b" /usr/" in line and header[1][1:2] != b"w")
        elif counts and line.startswith(b"Referenced:"):
            found[number] = int(line.split()[1])
    return found


def shares_memory(pid: int) -> bool:
    """True: the process has memory that it shares, and that somebody may write to."""
    return bool(_ranges(pid))


def _ranges(pid: int) -> list[tuple[int, int]]:
    """Where shared memory lies that somebody may write to."""
    maps = _read(f"/proc/{pid}/maps")
    return [
        (int(found[1], 16), int(found[2], 16))
        for found in _SHARED.finditer(maps)
        if b" /usr/" not in found[0] or found[3][1:2] == b"w"
    ]


def _has_pages(pid: int, start: int, end: int) -> bool:
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        data = os.pread(file.fileno(), (end - start) // _PAGE * 8, start // _PAGE * 8)
    return any(entry & _PRESENT for (entry,) in struct.iter_unpack("=Q", data))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
