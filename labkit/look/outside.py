"""Who holds something too, and is not in the picture.

What can be proven, and how:

- Every readable process's table lists what it holds. `True` is always certain: somebody was seen.
- `False` takes more. Descriptors may be in flight in a socket; processes may hide their tables (another
  user's), or not be in our /proc at all (another PID namespace). An anonymous pipe comes to a process
  only from its maker: by fork, or by a socket. So one that has all its sides inside the picture was
  made there, unless somebody shows it too; one with a side missing may be an unseen ancestor's. Those who
  started the picture's programs must show what they hold: a daemon that forks, becomes another user and
  executes may have left both ends to its child, and have them too.
- Otherwise it is not known: None.

A view that looks many times a second goes by what was seen up to a second ago, and asks anew before
anything is claimed because of it. But whoever was seen to hold something is asked each time whether that
is still so: a child that was born while others were looked at counts as an outsider, and may have ended.
A single picture always asks anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING

from labkit.errors import NotVisible
from labkit.kernel import rights
from labkit.look import relatives
from labkit.look.scan import KEPT_NS, Holder, Scan, carries, identity_of, link_of, scan

if TYPE_CHECKING:
    from labkit.look import Look


_INIT = 1


class Outside:
    """Answers for one look."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._in_flight: bool | None = None
        self._own: bool | None = None
        self._starters_show: bool | None = None
        self.fresh = False
        """Look for descriptors in flight everywhere, and go by no earlier scan."""
        self.may_travel = True
        """May the picture's descriptors be on their way to somebody?"""
        self._scan: Scan | None = None
        self._kept = False
        """Is the scan an earlier look's?"""

    def scan(self) -> Scan:
        """The scan that this look goes by."""
        if self._scan is None:
            self._kept = self.is_known()
            if not self._kept:
                last: Scan | None = self._look.recall.scan
                self._look.recall.scan = scan(frozenset(self._look.seen), last)
            self._scan = self._look.recall.scan
        return self._scan

    def is_known(self) -> bool:
        """Is the scan of the last look good enough for this one?"""
        last: Scan | None = self._look.recall.scan
        return (
            last is not None
            and not (self.fresh or self._look.recall.single)
            and time.monotonic_ns() - last.taken_ns < KEPT_NS
            and last.inside == frozenset(self._look.seen)
        )

    def holders(self, link: bytes) -> list[Holder]:
        """(pid, fd) of everybody outside who has something of this name: `pipe:[123]`."""
        found = self.scan().links.get(link, [])
        return [one for one in found if link_of(one) == link] if self._kept else found

    def holders_of_file(self, identity: Hashable) -> list[Holder]:
        """The same for what has a path: `identity` is (device, inode)."""
        found: list[Holder] = self.scan().files().get(identity, [])  # type: ignore[call-overload]
        return [one for one in found if identity_of(one) == identity] if self._kept else found

    def others(self, link: bytes, made_inside: bool) -> bool | None:
        """Does somebody outside hold this too? `made_inside`: all its sides are in the picture."""
        return True if self.holders(link) else self.proven(made_inside)

    def others_of_file(self, identity: Hashable, made_inside: bool) -> bool | None:
        """The same for what has a path: `identity` is (device, inode)."""
        return True if self.holders_of_file(identity) else self.proven(made_inside)

    def proven(self, made_inside: bool) -> bool | None:
        """False when nobody outside can have what nobody outside was seen to have; else None."""
        scan = self.scan()
        hidden = scan.hidden or not rights.sees_all_processes() or self._hidden_inside()
        made_inside = made_inside and (not hidden or self.starters_show())
        if self.in_flight() or (hidden and not made_inside) or (self.fresh and self._own_tables()):
            return None
        return False

    def starters_show(self) -> bool:
        """Is it seen what those hold who started the picture's programs?

        Who adopted an orphan of the whole machine is no starter. Nor is what makes containers (its number
        is 0 in them): it executes, and keeps nothing of theirs but what leads out."""
        if self._starters_show is None:
            seen, tables = self._look.seen, self.scan().tables
            starters = {one.stat.ppid for one in seen.values()} - set(seen) - {0}
            if rights.sees_all_processes():
                starters -= {_INIT}
            shown = all(pid in tables and not tables[pid].hidden for pid in starters)
            self._starters_show = shown or self._look.started_by_us
        return self._starters_show

    def _own_tables(self) -> bool:
        """Has a thread in the picture a table of descriptors for itself (unshare(2), CLONE_FILES)?"""
        if self._own is None:
            seen = self._look.seen
            found = [one.name for one in seen.values() if relatives.own_table(one.witness, one.live_threads)]
            for name in found:
                self._look.limit(
                    f"what single threads of {name} have open", "they have tables of their own (CLONE_FILES)"
                )
            self._own = bool(found)
        return self._own

    def _hidden_inside(self) -> bool:
        return any(rows is None for rows in self._look.held.values())

    def _comes_from_here(self) -> bool:
        """May what travels in a socket outside have been sent by one of the picture, or its parent?"""
        carriers = [int(link[8:-1]) for link in self.scan().carriers()]
        return bool(carriers) and not all(self._is_strangers(peer) for peer in _peers(carriers))

    def _is_strangers(self, socket: int) -> bool:
        """Is this end, the sender's, still open, and only with processes that never had what is ours?"""
        link = b"socket:[%d]" % socket
        parents = {seen.stat.ppid for seen in self._look.seen.values()}
        rows = (row for table in self._look.held.values() for row in table or ())
        senders = [pid for pid, _ in self.holders(link)]
        return bool(senders) and parents.isdisjoint(senders) and all(row.link != link for row in rows)

    @property
    def in_flight_seen(self) -> bool:
        """Was it asked for, and was one?"""
        return bool(self._in_flight)

    def in_flight(self) -> bool:
        """May a descriptor be travelling in a socket, or be kept where no table shows it?

        Also in one that nobody in the picture has: who sent it may have closed the socket behind it.
        """
        if not self.may_travel:
            return False
        if self._in_flight is None:
            rows = [row for table in self._look.held.values() for row in table or ()]
            sockets = [row for row in rows if row.link.startswith(b"socket:[")]
            self._in_flight = any(carries(row.info) for row in sockets) or (
                self.fresh and (self._comes_from_here() or self.scan().registered())
            )
        return self._in_flight


def _peers(sockets: list[int]) -> list[int]:
    """The number of each one's other end; 0 where there is none, or it is not told."""
    from labkit.kernel.sock_diag import SockDiag

    try:
        with SockDiag.of(os.getpid()) as diag:
            told = diag.unix(sockets)
    except (NotVisible, OSError):
        told = {}
    return [(told[socket].peer if socket in told else None) or 0 for socket in sockets]
