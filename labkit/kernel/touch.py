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

import re

_HEADER = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ (\S{4}) ")


class Touch:
    """From now on: has this process touched memory it shares?"""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._shares = b"s " in _read(f"/proc/{pid}/maps") and bool(_shared(pid))
        if self._shares:
            for word in ("1", "4"):
                with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                    file.write(word)

    def happened(self) -> bool:
        """True: it has, or may have. Also when mappings were made meanwhile."""
        if not self._shares and not _shared(self._pid):
            return False
        return any(_shared(self._pid).values())


def _shared(pid: int) -> dict[int, int]:
    """Kilobytes used since, of each shared mapping that somebody may write to."""
    if not re.search(rb"^\S+ \S{3}s ", _read(f"/proc/{pid}/maps"), re.MULTILINE):
        return {}
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


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
