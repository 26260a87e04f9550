"""Memory that processes have in common: mappings, and what each of their pages is.

Some facts (proc(5), pagemap in the kernel's admin-guide/mm; checked on Linux 6.18 with programs):

- A line of `maps` names a file by device and inode. Anonymous shared memory is a file too: its line says
  `/dev/zero (deleted)`, and the inode tells one from another, in parent and child alike. A memfd's says
  `/memfd:NAME (deleted)`, a System V segment's `/SYSV<key> (deleted)` with the shmid as inode; these
  three live on a device of the kernel's own, which no path leads to.
- A name in `maps` may be out of date: glibc makes a semaphore under a temporary name and links it, and
  the mapping goes on showing the temporary one as deleted. Device and inode stay true.
- /proc/PID/pagemap has 8 bytes a page: bit 63 present, 62 in swap, 61 a page of a file or of shared
  memory, 56 mapped exactly once in all processes. The owner may read these bits without privilege.
- A shared mapping's page is never a copy. Present means: this process has touched it. Others may have the
  same page though here it is absent.
- A private mapping shows the file's page (bit 61 set) until the first write; then the process has a
  copy (61 clear). After fork, parent and child have one copy together (56 clear) until either writes. The
  page of zeros that a read of untouched private memory shows has neither bit.
- Reading another process's untouched page with process_vm_readv *makes* it present there.

- Paths are shown as *we* would reach them: a file in /dev/shm of another mount namespace may be `/NAME`.

What follows for us: a page is `private` when it is a copy and only this process has it, `absent` when it
is not there, else `shared`. The bytes of a mapping are read only through a process in which the page
is present already.
"""

from __future__ import annotations

import array
import os
import re
from collections.abc import Iterable
from typing import Literal

from labkit.kernel.proc import Map, parse_map

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT, SWAPPED, FILE, EXCLUSIVE = 1 << 63, 1 << 62, 1 << 61, 1 << 56
MOST_PAGES = 1 << 16
"""Of one mapping, at one look: 256 MiB of 4 KiB pages, half a megabyte of pagemap."""

PageKind = Literal["absent", "shared", "private"]
Pages = tuple[tuple[int, PageKind], ...]

_C_LIBRARY = (b"/usr/lib/locale/", b"/usr/share/locale/", b"/etc/ld.so.cache")
_CHARACTER_SETS = b"/gconv-modules.cache"


def read_pages(pid: int, maps: Iterable[Map]) -> dict[Map, Pages | None]:
    """For each of these mappings of a process, its pages in runs; None where they are not shown."""
    try:
        fd = os.open(b"/proc/%d/pagemap" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return dict.fromkeys(maps)
    try:
        return {map: _pages(fd, map) for map in maps}
    finally:
        os.close(fd)


def is_large(map: Map) -> bool:
    """Has it more pages than are read?"""
    return (map.end - map.start) // PAGE > MOST_PAGES


def _pages(fd: int, map: Map) -> Pages | None:
    count = (map.end - map.start) // PAGE
    if is_large(map):
        return None
    try:
        data = os.pread(fd, 8 * count, map.start // PAGE * 8)
    except OSError:
        return None
    return parse_pagemap(data, map.shared) if len(data) == 8 * count else None


def parse_pagemap(data: bytes, shared: bool) -> Pages:
    """Runs of equal pages, in order, from the 8 bytes a page of pagemap."""
    entries = array.array("Q", data)
    runs: list[tuple[int, PageKind]] = []
    last, length = None, 0
    for entry in entries:
        bits = entry & (PRESENT | SWAPPED | FILE | EXCLUSIVE)
        if bits == last:
            length += 1
            continue
        if last is not None:
            _append(runs, length, page_kind(last, shared))
        last, length = bits, 1
    if last is not None:
        _append(runs, length, page_kind(last, shared))
    return tuple(runs)


def _append(runs: list[tuple[int, PageKind]], length: int, kind: PageKind) -> None:
    if runs and runs[-1][1] == kind:
        length += runs.pop()[0]
    runs.append((length, kind))


def page_kind(entry: int, shared: bool) -> PageKind:
    """What one entry of pagemap says about its page."""
    if entry & SWAPPED and not shared:
        return "private"  # only a copy of one's own is ever swapped out of a private mapping
    if not entry & PRESENT:
        return "absent"
    return "private" if not shared and entry & EXCLUSIVE and not entry & FILE else "shared"


def present(pid: int, address: int) -> bool:
    """True when this page of a process is there already, so that reading it changes nothing."""
    try:
        fd = os.open(b"/proc/%d/pagemap" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        data = os.pread(fd, 8, address // PAGE * 8)
    except OSError:
        return False
    finally:
        os.close(fd)
    return len(data) == 8 and bool(array.array("Q", data)[0] & PRESENT)


# --- which mappings show an object ------------------------------------------------------------------


def parse_shown(text: bytes) -> list[Map]:
    """The lines of `maps` that show shared objects and data files: no program text, no libraries, no
    devices. The others, mostly a hundred, are only glanced at."""
    code: set[bytes] = set()
    candidates: list[tuple[bytes, bytes]] = []
    for line in text.split(b"\n"):
        place = line.find(b"/", 40)
        if place < 0:
            continue
        path, prot = line[place:], line.find(b" ") + 1
        if line[prot + 2] == _X:
            code.add(path)
        elif not path.startswith(b"/dev/") or path.startswith(_MEMORY_DEVICES):
            candidates.append((path, line))
    return [_map(line) for path, line in candidates if path not in code and not _of_the_c_library(path)]


def _map(line: bytes) -> Map:
    """With the newlines in the path that the kernel writes as four characters."""
    map = parse_map(line)
    return map._replace(path=map.path.replace(b"\\012", b"\n")) if b"\\012" in map.path else map


_X = ord("x")
_MEMORY_DEVICES = (b"/dev/shm/", b"/dev/zero (deleted)")


def _of_the_c_library(path: bytes) -> bool:
    """Tables that every program maps without knowing: locales and character sets."""
    return path.startswith(_C_LIBRARY) or (path.startswith(b"/usr/lib") and path.endswith(_CHARACTER_SETS))


def is_anonymous(map: Map) -> bool:
    """Made by mmap with MAP_SHARED|MAP_ANONYMOUS (or by sharing /dev/zero, which is the same)."""
    return map.shared and map.path in (b"/dev/zero (deleted)", b"/anon_hugepage (deleted)")


def shmid(map: Map) -> int | None:
    """The id of the System V segment that is attached here, or None."""
    return map.inode if _SYSV.fullmatch(map.path) else None


_SYSV = re.compile(rb"/SYSV[0-9a-f]{8} \(deleted\)")


def memfd_name(path: bytes) -> str | None:
    """The name given to memfd_create, from `maps` or from a descriptor's link; None for other files."""
    if not (path.startswith(b"/memfd:") and path.endswith(b" (deleted)")):
        return None
    return path[7:-10].decode("utf-8", "backslashreplace")


def shm_device(pid: int) -> int | None:
    """The device of /dev/shm as that process sees it; None when it has none, or is gone."""
    try:
        return os.stat(b"/proc/%d/root/dev/shm" % pid).st_dev
    except OSError:
        return None
