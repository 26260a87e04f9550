"""TCP connections that no program has any more, and the kernel still has: up to TIME_WAIT's last minute.

After `close` no descriptor leads to a connection, but its states go on: FIN_WAIT, LAST_ACK, TIME_WAIT. One
look alone cannot know whose it was. An XRay that saw it open remembers its addresses, and asks the kernel
for it until it is gone.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from labkit.errors import NotVisible
from labkit.kernel import sockets
from labkit.kernel.sock_diag import InetDiag, SockDiag
from labkit.kernel.sockets import Address, InetFacts
from labkit.look import Held, Look
from labkit.scene import InetSocket

Ends = tuple[Address, Address]


class Known(NamedTuple):
    """A connection as it was when a process of the picture had it."""

    inode: int
    facts: InetFacts
    pids: frozenset[int]


def remember(look: Look, facts: dict[int, InetFacts], rows: dict[int, list[Held]]) -> None:
    """Keep the addresses of these connections, for looks after their end."""
    table = _table(look)
    for inode, one in facts.items():
        if one.protocol.startswith("tcp") and one.local and one.remote:
            table[one.local, one.remote] = Known(inode, one, frozenset(row.pid for row in rows[inode]))


def _table(look: Look) -> dict[Ends, Known]:
    table: dict[Ends, Known] = look.recall.kept.setdefault("connections", {})
    return table


def describe(look: Look) -> None:
    """Add the connections that were closed since they were seen."""
    table = _table(look)
    open_ = set(look.reached("inet-socket"))
    closed = {ends: known for ends, known in table.items() if known.inode not in open_}
    for pid in look.seen.keys() & {pid for known in closed.values() for pid in known.pids}:
        try:
            with SockDiag.of(pid) as diag:
                _ask(look, diag, table, {e: k for e, k in closed.items() if pid in _whose(table, e)})
        except NotVisible:
            continue


def _whose(table: dict[Ends, Known], ends: Ends) -> frozenset[int]:
    """Those who had it, or its other end."""
    other = table.get((ends[1], ends[0]))
    return table[ends].pids | (other.pids if other else frozenset()) if ends in table else frozenset()


def _ask(look: Look, diag: SockDiag, table: dict[Ends, Known], closed: dict[Ends, Known]) -> None:
    for ends, known in closed.items():
        answer = diag.inet(socket.IPPROTO_TCP, *ends)
        if answer is None or answer.inode or answer.state in _NOT_IT:
            table.pop(ends, None)
        else:
            look.add(_socket(look.reach("inet-socket", known.inode), known.facts, answer))


_NOT_IT = (sockets.LISTEN, 7)
"""A listener answers for addresses that have no connection of their own; 7 is CLOSE."""


def _socket(id: str, facts: InetFacts, answer: InetDiag) -> InetSocket:
    state = sockets.TCP_STATES.get(answer.state)
    local, remote = sockets.shown_address(facts.local), sockets.shown_address(facts.remote)
    return InetSocket(
        id=id,
        kind="inet-socket",
        name=f"{facts.protocol} {local} to {remote}",
        notes=(_MEANINGS.get(state or "", "closed by its program; the kernel sees it through to its end"),),
        protocol=facts.protocol,
        state=state,
        local=local,
        remote=remote,
        receive_queue=answer.receive,
        send_queue=answer.send,
        others=False,
    )


_MEANINGS = {
    "TIME_WAIT": "over; the kernel keeps its addresses for a minute, so that late packets do no harm",
    "FIN_WAIT2": "closed by its program; the other side has not closed yet",
}
