"""Internet sockets in the picture: who is connected to whom."""

from __future__ import annotations

from labkit.kernel import sockets
from labkit.kernel.sock_diag import SockDiag
from labkit.kernel.sockets import Address, InetFacts
from labkit.look import Look
from labkit.scene import InetSocket


class Internet:
    """The internet sockets of one network namespace, in one look."""

    def __init__(
        self, look: Look, facts: dict[int, InetFacts], ids: dict[int, str], diag: SockDiag | None
    ) -> None:
        self.look = look
        self.facts = facts
        self.ids = ids
        self.diag = diag
        self._ends = {_ends(f): inode for inode, f in facts.items() if f.remote}
        self._bound = {(f.protocol[:3], _plain(f.local)): i for i, f in facts.items() if not f.remote}
        self._waiting: dict[int, list[int]] = {}

    def describe(self) -> None:
        """Find the pairs, then add the objects."""
        peers = {inode: self._peer(inode, facts) for inode, facts in self.facts.items()}
        for inode, facts in self.facts.items():
            self.look.add(self._socket(inode, facts, peers[inode]))

    def _peer(self, inode: int, facts: InetFacts) -> int | None:
        if facts.remote is None:
            return None
        kind, local, remote = _ends(facts)
        peer = self._ends.get((kind, remote, local))
        if peer is not None:
            return peer
        listener = self._listener(kind, remote)
        if listener is None or kind == "udp":
            return listener
        if self.diag is None or not sockets.in_backlog(self.diag, facts):
            return None
        self._waiting.setdefault(listener, []).append(inode)
        return listener

    def _listener(self, kind: str, address: Address | None) -> int | None:
        """The unconnected socket that is reached under this address."""
        if address is None:
            return None
        places = (address, ("0.0.0.0", address[1]), ("::", address[1]))
        return next((self._bound[kind, a] for a in places if (kind, a) in self._bound), None)

    def _socket(self, inode: int, facts: InetFacts, peer: int | None) -> InetSocket:
        local, remote = sockets.shown_address(facts.local), sockets.shown_address(facts.remote)
        return InetSocket(
            id=self.ids[inode],
            kind="inet-socket",
            name=f"{facts.protocol} {local}" + (f" to {remote}" if remote else ""),
            notes=tuple(self._notes(inode, facts, peer)),
            protocol=facts.protocol,
            state=facts.state,
            local=local,
            remote=remote,
            peer=self.ids[peer] if peer is not None else None,
            receive_queue=facts.receive,
            send_queue=facts.send,
            in_transit=facts.in_transit,
            backlog=facts.backlog,
            waiting=facts.waiting,
            head=facts.head if facts.receive else b"" if facts.receive == 0 else None,
            others=self.look.outside.others(b"socket:[%d]" % inode, peer is not None),
        )

    def _notes(self, inode: int, facts: InetFacts, peer: int | None) -> list[str]:
        notes = []
        if peer is not None and inode in self._waiting.get(peer, ()):
            notes.append("not accepted yet: it waits in the listener's backlog")
        if inode in self._waiting:
            notes.append(f"waiting to be accepted: {', '.join(self.ids[i] for i in self._waiting[inode])}")
        if facts.first is not None:
            notes.append(
                f"the first datagram has {facts.first} bytes; the queue is counted in the kernel's memory"
            )
        if facts.state in _MEANINGS:
            notes.append(_MEANINGS[facts.state])
        return notes


_MEANINGS = {
    "SYN_SENT": "asked to connect; no answer yet",
    "CLOSE_WAIT": "the other side sends no more; this one has not closed yet",
    "FIN_WAIT1": "it sends no more; the other side has not acknowledged that yet",
    "FIN_WAIT2": "it sends no more; the other side has not closed yet",
    "CLOSE": "not connected",
}


def _ends(facts: InetFacts) -> tuple[str, Address | None, Address | None]:
    return facts.protocol[:3], _plain(facts.local), _plain(facts.remote)


def _plain(address: Address | None) -> Address | None:
    """IPv4 addresses as such, also where an IPv6 socket shows them as `::ffff:127.0.0.1`."""
    if address is None or not (address[0].startswith("::ffff:") and "." in address[0]):
        return address
    return address[0][7:], address[1]
