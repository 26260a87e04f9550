"""Unix and internet sockets in the picture."""

from __future__ import annotations

import contextlib
import socket
import sys

from labkit.errors import NotVisible, Vanished
from labkit.kernel import namespaces, sockets
from labkit.kernel import socket_calls as calls
from labkit.kernel.sock_diag import SockDiag
from labkit.kernel.sockets import InetFacts, UnixFacts
from labkit.look import Held, Look, departed
from labkit.look.internet import Internet
from labkit.scene import Other, UnixSocket
from labkit.words import EMPTY_MESSAGE

Rows = dict[int, list[Held]]
"""Inode -> the descriptors that are open on it."""


def descriptors(look: Look, held: list[Held]) -> None:
    """Describe every socket that these descriptors are open on."""
    for namespace in _by_namespace(held):
        _Network(look, namespace).describe()


def objects(look: Look) -> None:
    """The connections that were closed and are not over yet."""
    departed.describe(look)


def listener(look: Look, pid: int, arguments: tuple[int, ...]) -> str | None:
    """The listening Unix socket whose line a `connect` stands before, when it is in the picture."""
    raw = look.memory(pid, arguments[1], min(arguments[2] & 0xFFFFFFFF, calls.UNIX_ADDRESS_BYTES))
    if raw is None or int.from_bytes(raw[:2], sys.byteorder) != socket.AF_UNIX:
        return None
    name = sockets.shown_name(calls.parse_unix_address(raw))
    for thing in look.objects.values():
        if isinstance(thing, UnixSocket) and thing.state == "listening" and thing.path == name:
            return thing.id
    return None


def _by_namespace(held: list[Held]) -> list[Rows]:
    """The sockets of each network namespace: one made in another namespace than its holder's is
    still asked for there, and found through its copy."""
    names: dict[int, bytes | None] = {}
    groups: dict[bytes | None, Rows] = {}
    seen: dict[int, Rows] = {}
    for row in held:
        inode = sockets.inode_of(row.link)
        if inode is None:
            continue
        if inode not in seen:
            if row.pid not in names:
                names[row.pid] = namespaces.identity(row.pid, "net")
            seen[inode] = groups.setdefault(names[row.pid], {})
        seen[inode].setdefault(inode, []).append(row)
    return list(groups.values())


class _Network:
    """The sockets of one network namespace, in one look."""

    def __init__(self, look: Look, rows: Rows) -> None:
        self.look = look
        self.rows = rows
        self.pid = next(iter(rows.values()))[0].pid
        self.unix: dict[int, UnixFacts] = {}
        self.inet: dict[int, InetFacts] = {}
        self.ids: dict[int, str] = {}
        self._listed: dict[int, UnixFacts | InetFacts] | None = None

    def describe(self) -> None:
        """Read the facts, then give ids in the order of descriptors, then add the objects."""
        with contextlib.ExitStack() as stack:
            diag = self._diag(stack)
            self._read(diag)
            self._place()
            for inode, facts in self.unix.items():
                self.look.add(self._unix_socket(inode, facts))
            Internet(self.look, self.inet, self.ids, diag).describe()
            departed.remember(self.look, self.inet, self.rows)

    def _diag(self, stack: contextlib.ExitStack) -> SockDiag | None:
        try:
            return stack.enter_context(SockDiag.of(self.pid))
        except NotVisible as error:
            self.look.limit("the other ends of sockets", str(error))
            return None

    # --- facts

    def _read(self, diag: SockDiag | None) -> None:
        answers = diag.unix(self.rows) if diag else {}
        for inode, rows in self.rows.items():
            if inode in answers:
                self.unix[inode] = self._with_head(sockets.unix_from_diag(answers[inode]), rows)
            else:
                self._read_otherwise(inode, rows)

    def _with_head(self, facts: UnixFacts, rows: list[Held]) -> UnixFacts:
        if not facts.queued and not _may_hold_an_empty_message(facts):
            return facts
        for row in rows:
            try:
                with self.look.copy(row.pid, row.fd) as copy:
                    peeked = calls.peek(copy, sockets.HEAD_BYTES)
                return facts._replace(head=peeked[0], first=peeked[1]) if peeked else facts
            except Vanished:
                continue
            except OSError as error:
                self._refused(row.pid, error)
                return facts
        return facts

    def _read_otherwise(self, inode: int, rows: list[Held]) -> None:
        for row in rows:
            try:
                with self.look.copy(row.pid, row.fd) as copy:
                    self._read_copy(inode, copy)
                return
            except Vanished:
                continue
            except OSError as error:
                self._refused(row.pid, error)
                self._read_listing(inode)
                return

    def _read_copy(self, inode: int, copy: int) -> None:
        family = sockets.family_of(copy)
        if family == "unix":
            facts = sockets.unix_from_copy(inode, copy)
            peeked = calls.peek(copy, sockets.HEAD_BYTES) if facts.queued else None
            self.unix[inode] = facts._replace(head=peeked[0], first=peeked[1]) if peeked else facts
            return
        inet = sockets.inet_from_copy(inode, copy)
        if inet is None:
            self._other(inode, f"{_other_family(family, copy)} socket")
            return
        if inet.state == "SYN_SENT":
            asked = self._listing().get(inode)  # only the listing says to whom
            inet = inet._replace(remote=asked.remote) if isinstance(asked, InetFacts) else inet
        if inet.receive:
            peeked = calls.peek(copy, sockets.HEAD_BYTES)
            inet = inet._replace(head=peeked[0] if peeked else None)
        self.inet[inode] = inet

    def _listing(self) -> dict[int, UnixFacts | InetFacts]:
        if self._listed is None:
            self._listed = {**sockets.unix_from_proc(self.pid), **sockets.inet_from_proc(self.pid)}
        return self._listed

    def _read_listing(self, inode: int) -> None:
        facts = self._listing().get(inode)
        if isinstance(facts, UnixFacts):
            self.unix[inode] = facts
        elif isinstance(facts, InetFacts):
            self.inet[inode] = facts
        else:
            self._other(inode, "socket")

    def _refused(self, pid: int, error: OSError) -> None:
        self.look.refused("what is inside the sockets", pid, error, attach=True)

    def _others(self, inode: int, facts: UnixFacts) -> bool | None:
        both = facts.peer in self.ids or facts.state == "closed"
        return self.look.outside.others(b"socket:[%d]" % inode, both)

    # --- objects

    def _place(self) -> None:
        for inode, rows in self.rows.items():
            kind = "unix-socket" if inode in self.unix else "inet-socket" if inode in self.inet else None
            if kind is not None:
                self.ids[inode] = self.look.reach(kind, inode)
                for row in rows:
                    self.look.place(row, self.ids[inode])

    def _other(self, inode: int, name: str) -> None:
        id = self.look.reach("other", ("socket", inode))
        for row in self.rows[inode]:
            self.look.place(row, id)
        self.look.add(Other(id=id, kind="other", name=name))

    def _unix_socket(self, inode: int, facts: UnixFacts) -> UnixSocket:
        id = self.ids[inode]
        return UnixSocket(
            id=id,
            kind="unix-socket",
            name=_unix_name(id, facts),
            notes=tuple(self._unix_notes(inode, facts)),
            type=facts.type,
            state=facts.state,
            path=facts.path,
            peer=self._unix_peer(inode, facts),
            queued=facts.queued,
            head=facts.head,
            backlog=facts.backlog,
            waiting=facts.waiting,
            in_flight=sockets.in_flight(self.rows[inode][0].info),
            others=self._others(inode, facts),
        )

    def _unix_peer(self, inode: int, facts: UnixFacts) -> str | None:
        if facts.pending:
            return next((self.ids[i] for i, other in self.unix.items() if inode in other.clients), None)
        return self.ids.get(facts.peer) if facts.peer else None

    def _unix_notes(self, inode: int, facts: UnixFacts) -> list[str]:
        notes = []
        if facts.pending:
            notes.append("not accepted yet: it waits in the listener's backlog")
        elif facts.peer and facts.peer not in self.ids:
            notes.append("no process in the picture holds the other end")
        if facts.state == "closed":
            notes.append("the other end is closed")
        elif facts.shutdown:
            notes.append(_SHUT[facts.shutdown])
        if facts.first is not None and facts.type in ("dgram", "seqpacket"):
            notes.append(_first_message(facts))
        notes.extend(self._backlog_notes(facts))
        return notes

    def _backlog_notes(self, facts: UnixFacts) -> list[str]:
        inside = [self.ids[client] for client in facts.clients if client in self.ids]
        outside = len(facts.clients) - len(inside)
        if not facts.clients:
            return []
        who = [*inside, *([f"{outside} from outside the picture"] if outside else [])]
        return [f"waiting to be accepted: {', '.join(who)}"]


def _other_family(family: str, copy: int) -> str:
    """`netlink`, `packet`; `inet raw`, where the family has sockets of other types, too."""
    kind = sockets.TYPES.get(calls.number(copy, socket.SO_TYPE))
    return f"{family} {kind}" if family.startswith("inet") and kind else family


_SHUT = {
    1: "shut down for receiving: after what is queued, it reads the end",
    2: "shut down for sending",
    3: "shut down both ways",
}


def _unix_name(id: str, facts: UnixFacts) -> str:
    if facts.path is None:
        return id.replace("-", " ")
    if facts.type != "dgram" and facts.state in ("connected", "closed"):
        return f"connection to {facts.path}"
    return facts.path


def _may_hold_an_empty_message(facts: UnixFacts) -> bool:
    """Only of datagram sockets: a copy of another kind would put off the end that its peer sees."""
    return facts.type == "dgram" and facts.state in ("connected", "unconnected") and not facts.shutdown


def _first_message(facts: UnixFacts) -> str:
    if not facts.first:
        return EMPTY_MESSAGE
    if facts.type == "dgram":
        return (
            f"the first message has {facts.first} bytes; the kernel does not show how many more wait, "
            "and `queued` counts the first only"
        )
    more = "" if facts.first == facts.queued else f" of these {facts.queued} bytes"
    return f"messages keep their boundaries: the first has {facts.first}{more or ' bytes'}"
