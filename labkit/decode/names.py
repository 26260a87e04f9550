"""Names for what differs from run to run: processes, ids, keys, ports, addresses, random file names.

The first id of a kind is written `sem-1`, the next `sem-2`: so the text of a film is the same in every run.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable

from labkit.conductor.quiet import signed32
from labkit.conductor.tasks import Task
from labkit.decode.plain import kernel_ports, quoted, shortly, unix_address
from labkit.kernel import flags, peek

_SEMAPHORE = "/dev/shm/sem."
_CHOSEN = re.compile(rb"/dev/shm/sem\.()([A-Za-z0-9]{6})")
"""What glibc's `sem_open` calls a semaphore while it makes it."""
_PYTHONS = re.compile(rb".*/(?:sem\.)?(mp-|psm_|tmp|pymp-|listener-)([a-z0-9_]{8})")
"""Names that Python's `tempfile` and `multiprocessing` make up."""
_TRIED = re.compile(rb".*/()([a-z0-9_]{8})")
"""What `tempfile` makes to try whether a folder will do."""
_MKTEMP = re.compile(rb"(.*/[^/]*?)((?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6})")
"""What `mkstemp` and `mkdtemp` make of XXXXXX, but for one in 200 that has small letters only."""
_EXCLUSIVE = os.O_CREAT | os.O_EXCL


class Names:
    """Names that stay the same throughout one recording."""

    def __init__(self, process_name: Callable[[int], str | None]) -> None:
        self._process_name = process_name
        self._symbols: dict[tuple[str, int | str], str] = {}
        self._counts: dict[str, int] = {}
        self._made_up: dict[bytes, bytes] = {}
        """Random file names, and how they are written."""
        self._linked: dict[str, str] = {}
        """Names of files that were made under another, by that."""
        self._leads: dict[tuple[int, int], str] = {}

    def process(self, pid: int) -> str:
        """A process's name; of one that is not in the film, `process-1`."""
        return self._process_name(pid) or self.symbol("process", pid)

    def symbol(self, kind: str, value: int | str) -> str:
        """A name for something that differs from run to run."""
        if (kind, value) not in self._symbols:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._symbols[kind, value] = f"{kind}-{self._counts[kind]}"
        return self._symbols[kind, value]

    # --- files ---------------------------------------------------------------------------------

    def path(self, data: bytes) -> str:
        """A path, quoted; a part of it that was made up at random by a name."""
        return quoted(self.told(shortly(data)), 200)

    def told(self, data: bytes) -> bytes:
        """Bytes in which random names are written as names that stay."""
        for random, symbol in self._made_up.items():
            data = data.replace(random, symbol)
        return data

    def note_new(self, data: bytes, how: int = _EXCLUSIVE, private: bool = False) -> None:
        """A file may be about to be made: is its name one that was made up at random?

        `how` are the flags of `open`; `private`: nobody else may use it.
        """
        if how & _EXCLUSIVE != _EXCLUSIVE:
            return
        found = _PYTHONS.fullmatch(data)
        if how & os.O_NOFOLLOW:
            found = found or _TRIED.fullmatch(data)
        elif how in (_EXCLUSIVE, _EXCLUSIVE | os.O_RDWR) and private:
            found = found or _CHOSEN.fullmatch(data) or _MKTEMP.fullmatch(data)
        if found:
            self._make_up(*found.groups())

    def _make_up(self, before: bytes, random: bytes) -> None:
        if random not in self._made_up:
            dash = b"-" if before[-1:].isalnum() else b""
            self._made_up[random] = dash + self.symbol("random", os.fsdecode(random)).encode()

    def note_link(self, old: bytes, new: bytes) -> None:
        """A file has got another name; a mapping goes on showing the old one."""
        self._linked[os.fsdecode(old)] = os.fsdecode(new)

    def leads(self, task: Task, fd: int) -> str:
        """What /proc says a descriptor leads to: a path, `pipe:[…]`, `anon_inode:[eventfd]`."""
        if (task.tid, fd) not in self._leads:
            try:
                self._leads[task.tid, fd] = os.readlink(f"/proc/{task.tid}/fd/{fd}")
            except OSError:
                return ""
        return self._leads[task.tid, fd]

    # --- memory --------------------------------------------------------------------------------

    def place(self, task: Task, address: int) -> str:
        """An address by what lies there: `shm-1 + 16`; one of private memory by a name of its own."""
        if not address:
            return "NULL"
        found = peek.mapping(task.tid, address)
        label = self._label(found) if found else None
        if found is None or label is None:
            return self.symbol("address", address)
        offset = address - found.start + found.offset
        return f"{label} + {offset}" if offset else label

    def _label(self, found: peek.Region) -> str | None:
        """What a shared or file mapping shows; None for private memory."""
        path = found.path.removesuffix(" (deleted)")
        if path.startswith("/SYSV"):
            return self.symbol("shm", found.inode)
        if path == "/dev/zero":
            return self.symbol("memory", found.inode)
        if path.startswith("/memfd:"):
            return f"memfd {path[7:]}"
        if path.startswith("anon_inode:"):
            return path[11:].strip("[]")
        if re.search(r"/#\d+$", path):  # it has no name (O_TMPFILE)
            return self.symbol("file", found.inode)
        path = os.fsdecode(self.told(os.fsencode(self._linked.get(path, path))))
        if path.startswith(_SEMAPHORE):
            return f"sem /{path[13:]}"
        if path.startswith("/dev/shm/"):
            return path[8:]
        return os.path.basename(path) if path.startswith("/") else None

    # --- System V, sockets ---------------------------------------------------------------------

    def ipc(self, kind: str, value: int) -> str:
        """A System V id: `sem-1`."""
        number = signed32(value)
        return str(number) if number < 0 else self.symbol(kind, number)

    def address(self, data: bytes) -> str:
        """A socket address: a path, `@name`, or host and port."""
        family = int.from_bytes(data[:2], "little")
        if family == 1:
            return unix_address(self.told(data[2:]))
        if family == 2 and len(data) >= 8:
            return f"{ipaddress.IPv4Address(data[4:8])}:{self.port(int.from_bytes(data[2:4], 'big'))}"
        if family == 10 and len(data) >= 24:
            return f"[{ipaddress.IPv6Address(data[8:24])}]:{self.port(int.from_bytes(data[2:4], 'big'))}"
        return flags.FAMILIES.get(family, f"family {family}")

    def port(self, number: int) -> str:
        """A port; one that the kernel chose is written by a name."""
        low, high = kernel_ports()
        return self.symbol("port", number) if low <= number <= high else str(number)
