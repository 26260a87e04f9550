"""Which descriptors are open on one and the same nameless object."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Hashable, Iterator

from labkit.kernel import files, syscalls
from labkit.look import Held, Look

_fresh = itertools.count()


def groups(look: Look, link: bytes, rows: list[Held]) -> Iterator[tuple[Hashable, list[Held]]]:
    """(identity, its descriptors), in order of the first descriptor.

    For these objects the open file description *is* the object, so kcmp tells. An identity stays from
    look to look while one of its descriptors does.
    """
    known: dict[tuple[int, int], Hashable] = look.recall.kept.get(("nameless", link), {})
    kept: dict[tuple[int, int], Hashable] = {}
    look.recall.kept["nameless", link] = kept
    for members in sorted(_together(look, link, rows), key=lambda m: (m[0].pid, m[0].fd)):
        keys = [(row.pid, row.fd) for row in members]
        identity = _number(members[0]) or next((known[k] for k in keys if k in known), None)
        if identity is None:
            identity = (link, next(_fresh))
        kept.update(dict.fromkeys(keys, identity))
        yield identity, members


def _number(row: Held) -> Hashable | None:
    """An eventfd has a number of its own."""
    facts = files.parse_eventfd(row.info.more) if row.info else None
    return ("eventfd", facts.id) if facts and facts.id is not None else None


def _together(look: Look, link: bytes, rows: list[Held]) -> list[list[Held]]:
    numbered: dict[Hashable, list[Held]] = {}
    for row in rows:
        numbered.setdefault(_number(row), []).append(row)
    rest = numbered.pop(None, [])
    return [*numbered.values(), *(_compared(look, rest) if len(rest) > 1 else [[row] for row in rest])]


def _compared(look: Look, rows: list[Held]) -> list[list[Held]]:
    try:
        rows = sorted(rows, key=functools.cmp_to_key(_order))
        found: list[list[Held]] = []
        for row in rows:
            if found and _order(found[-1][0], row) == 0:
                found[-1].append(row)
            else:
                found.append([row])
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == 38:  # ENOSYS; else something vanished
            look.limit("which descriptors are one eventfd, epoll or timer", f"kcmp: {error.strerror}")
        return [[row] for row in rows]
    return [sorted(members, key=lambda row: (row.pid, row.fd)) for members in found]


def _order(a: Held, b: Held) -> int:
    return syscalls.kcmp(a.pid, b.pid, syscalls.KCMP_FILE, a.fd, b.fd)
