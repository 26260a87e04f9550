"""Which descriptors are one open file description.

kcmp(2) gives an order of all open file descriptions that stays while they live: sorting the descriptors
of one object by it puts the same ones side by side, in n log n comparisons. They are sorted in the order
of the last look first, and then n - 1 comparisons do.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable

from labkit.kernel import rights, syscalls
from labkit.look import Held, Look

Key = tuple[int, int]
"""(pid, fd)."""


class Memory:
    """How descriptions were ordered and numbered in the last look."""

    def __init__(self) -> None:
        self.order: dict[Key, int] = {}
        self.numbers: dict[Key, int] = {}
        self.tables: dict[int, list[Held] | None] = {}
        self.highest = 0
        self.good_until = 0
        """In a stream: so long, tables that say the same as before are of the same descriptions."""


def number(look: Look) -> None:
    """Fill `look.descriptions`: numbers in the order of the picture, that stay from look to look."""
    if not rights.allowed("kcmp"):
        look.limit(
            "which descriptors are one open file description",
            "kcmp is refused here (a seccomp filter, as containers have)",
        )
        return
    memory: Memory = look.recall.descriptions or Memory()
    look.recall.descriptions = memory
    same = memory.tables == look.held
    if same and (memory.good_until > look.begun_ns or all(seen.still for seen in look.seen.values())):
        look.descriptions = memory.numbers
        return
    memory.tables, memory.good_until = look.held, look.good_until(hardly_changes=True)
    if look.recall.single:
        memory.numbers, memory.highest = {}, 0
    place: dict[Key, int] = {}
    groups: list[list[Key]] = []
    order: dict[Key, int] = {}
    for bucket in _buckets(look, place).values():
        if len(bucket) > 1:
            bucket.sort(key=lambda key: memory.order.get(key, -1))
            for key in (grouped := _Bucket(look, bucket)).ordered:
                order[key] = len(order)
            groups += grouped.groups(place)
        else:
            groups.append(bucket)
    memory.order = order
    _give_numbers(look, memory, sorted(groups, key=lambda group: place[group[0]]))


def _give_numbers(look: Look, memory: Memory, groups: list[list[Key]]) -> None:
    given: set[int] = set()
    for group in groups:
        number = memory.numbers.get(group[0], 0)
        if not number or number in given:
            memory.highest += 1
            number = memory.highest
        given.add(number)
        for key in group:
            look.descriptions[key] = number
    memory.numbers = look.descriptions


def _buckets(look: Look, place: dict[Key, int]) -> dict[Hashable, list[Key]]:
    """Descriptors that may be the same: open on the same thing, in the same mode."""
    buckets: dict[Hashable, list[Key]] = {}
    for pid, rows in look.held.items():
        if look.seen[pid].witness == pid:
            for row in rows or ():
                place[pid, row.fd] = len(place)
                buckets.setdefault(_thing(row), []).append((pid, row.fd))
    return buckets


def _thing(row: Held) -> Hashable:
    info = row.info
    if info is None:
        return row.link
    if row.stat is not None:
        return row.stat.st_dev, row.stat.st_ino, (info.flags or 0) & 3
    return row.link, (info.flags or 0) & 3


class _Bucket:
    """Some descriptors, sorted by description; those that vanish meanwhile are left out."""

    def __init__(self, look: Look, keys: list[Key]) -> None:
        self._look = look
        self._same: set[tuple[Key, Key]] = set()
        self.ordered: list[Key] = []
        while keys:
            try:
                self.ordered = sorted(keys, key=functools.cmp_to_key(self._compare))
                return
            except OSError:
                left = [key for key in keys if self._is_there(key)]
                if len(left) == len(keys):  # each may be looked at, but not two together
                    return
                keys = left

    def groups(self, place: dict[Key, int]) -> list[list[Key]]:
        """Those that are the same, together; each group in the order of the picture."""
        groups: list[list[Key]] = []
        for key in self.ordered:
            if groups and (groups[-1][-1], key) in self._same:
                groups[-1].append(key)
            else:
                groups.append([key])
        return [sorted(group, key=place.__getitem__) for group in groups]

    def _compare(self, one: Key, other: Key) -> int:
        order = syscalls.kcmp(one[0], other[0], syscalls.KCMP_FILE, one[1], other[1])
        if order == 0:
            self._same |= {(one, other), (other, one)}
        return order

    def _is_there(self, key: Key) -> bool:
        try:
            return syscalls.kcmp(key[0], key[0], syscalls.KCMP_FILE, key[1], key[1]) == 0
        except PermissionError as error:
            self._look.refused("which open file descriptions are those", key[0], error)
            return False
        except OSError:
            return False
