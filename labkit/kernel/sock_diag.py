"""What the kernel says about a socket to whoever asks by netlink.

Some facts about sock_diag (sock_diag(7); checked on Linux 6.18):

- A NETLINK_SOCK_DIAG socket answers for the network namespace it was *made* in, to every user.
- A Unix socket is asked for by its inode number: `unix_lookup_by_ino` walks the hash table once, about
  3 µs a question, and several questions may travel in one message. The answers are ready when
  `send` returns.
- An internet socket is asked for by its addresses, never by its inode; the answer for a connection
  that nobody has accepted yet has inode 0. Reading /proc/net/tcp instead walks the whole hash table
  of connections: several milliseconds, however few there are.
- UNIX_DIAG_PEER is the inode of the other end: 0 when the other end has been closed, and also when
  it has not been accepted yet. In the first case the socket is shut down both ways.
- UNIX_DIAG_RQLEN of a listener is how many wait to be accepted and the backlog it asked for; of others,
  the bytes to be received (of a datagram socket: the size of the *first* datagram) and the memory
  its sent, not yet received data takes.
- UNIX_DIAG_ICONS of a listener lists the inodes of the clients that wait to be accepted.
- A kernel without CONFIG_UNIX_DIAG says ENOENT, the same as for an inode that is no Unix socket.

What follows for us: plain Python and one `struct` a question, since a netlink library takes longer
to import than all our looks together; we ask for the sockets in the picture and for no others;
and a new client first asks after a socket of its own, to know that it gets answers.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from labkit.errors import NotVisible
from labkit.kernel import namespaces

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR = 2
NLM_F_REQUEST = 1

_SHOW_NAME, _SHOW_PEER, _SHOW_ICONS, _SHOW_RQLEN = 0x01, 0x04, 0x08, 0x10
_NAME, _PEER, _ICONS, _RQLEN, _SHUTDOWN = 0, 2, 3, 4, 6
_ANY_STATE = _ANY_COOKIE = 0xFFFFFFFF
_AT_ONCE = 32  # questions in one message: their answers fit into the smallest receive buffer

_HEADER = struct.Struct("=IHHII")
_UNIX_QUESTION = struct.Struct("=IHHIIBBHIIIII")
_UNIX_ANSWER = struct.Struct("=BBBBI")
_INET_QUESTION = struct.Struct("=IHHIIBBBBI")
_INET_ANSWER = struct.Struct("=IIIII")
_ATTRIBUTE = struct.Struct("=HH")
_TWO = struct.Struct("=II")
_ONE = struct.Struct("=I")


class UnixDiag(NamedTuple):
    """One Unix socket, as sock_diag tells it."""

    inode: int
    type: int
    """1 stream, 2 datagram, 5 seqpacket."""
    state: int
    """As TCP's: 1 connected, 7 not connected, 10 listening."""
    name: bytes | None
    """As bound: abstract names begin with a zero byte. None when not bound."""
    peer: int | None
    """The other end's inode; 0 when closed or not accepted yet; None when there never was one."""
    receive: int
    send: int
    waiting: tuple[int, ...]
    """Of a listener: the inodes of the clients in its backlog."""
    shutdown: int
    """1: will receive no more; 2: will send no more."""


class InetDiag(NamedTuple):
    """One internet socket, as sock_diag tells it."""

    state: int
    receive: int
    send: int
    inode: int
    """0 when no process has it: not accepted yet, or closed by its program."""


class SockDiag:
    """Asks one network namespace about its sockets. Close it, or use `with`."""

    def __init__(self, netlink: socket.socket) -> None:
        self._netlink = netlink
        self._sequence = 0

    @classmethod
    def here(cls) -> SockDiag:
        """For our own network namespace; NotVisible when this kernel does not answer."""
        diag = None
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            diag = cls(_netlink())
            if diag.unix([os.fstat(probe.fileno()).st_ino]):
                return diag
        except OSError as error:
            raise NotVisible(f"The kernel refuses sock_diag: {error.strerror}.") from None
        finally:
            probe.close()
        diag.close()
        raise NotVisible("This kernel does not answer sock_diag questions about Unix sockets.")

    @classmethod
    def of(cls, pid: int) -> SockDiag:
        """For the network namespace of a process; NotVisible where it may not be entered."""
        return namespaces.call(pid, "net", cls.here)

    def unix(self, inodes: Iterable[int]) -> dict[int, UnixDiag]:
        """What is known of these inodes; those that are no Unix socket (any more) are left out."""
        wanted = list(inodes)
        found = {}
        for start in range(0, len(wanted), _AT_ONCE):
            questions = [_unix_question(inode) for inode in wanted[start : start + _AT_ONCE]]
            for answer in self._ask(questions):
                diag = parse_unix(answer)
                found[diag.inode] = diag
        return found

    def inet(self, protocol: int, local: tuple[str, int], remote: tuple[str, int]) -> InetDiag | None:
        """What is known of the socket with these two addresses, or None."""
        for answer in self._ask([_inet_question(protocol, local, remote)]):
            return parse_inet(answer)
        return None

    def _ask(self, questions: list[bytes]) -> Iterator[bytes]:
        self._sequence += 1
        first = self._sequence
        self._sequence += len(questions)
        self._netlink.send(
            b"".join(
                question[:8] + _ONE.pack(first + i) + question[12:] for i, question in enumerate(questions)
            )
        )
        left = len(questions)
        while left:
            try:
                answer = self._netlink.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:  # every answer is queued before `send` returns
                return
            _, type_, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence < first:
                continue
            left -= 1
            if type_ != NLMSG_ERROR:
                yield answer

    def close(self) -> None:
        """Give the netlink socket back."""
        self._netlink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)


def _unix_question(inode: int) -> bytes:
    show = _SHOW_NAME | _SHOW_PEER | _SHOW_ICONS | _SHOW_RQLEN
    # fmt: off
    return _UNIX_QUESTION.pack(
        _UNIX_QUESTION.size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0,
        socket.AF_UNIX, 0, 0, _ANY_STATE, inode, show, _ANY_COOKIE, _ANY_COOKIE,
    )
    # fmt: on


def _inet_question(protocol: int, local: tuple[str, int], remote: tuple[str, int]) -> bytes:
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    head = _INET_QUESTION.pack(
        72, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0, family, protocol, 0, 0, _ANY_STATE
    )
    ports = struct.pack("!HH", local[1], remote[1])
    addresses = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (local, remote))
    return head + ports + addresses + struct.pack("=III", 0, _ANY_COOKIE, _ANY_COOKIE)


def parse_unix(answer: bytes) -> UnixDiag:
    """A `unix_diag_msg` with its attributes."""
    length = _HEADER.unpack_from(answer)[0]
    _, type_, state, _, inode = _UNIX_ANSWER.unpack_from(answer, 16)
    found = dict(_attributes(answer, 32, min(length, len(answer))))
    receive, send = _TWO.unpack(found[_RQLEN]) if _RQLEN in found else (0, 0)
    peer = _ONE.unpack(found[_PEER])[0] if _PEER in found else None
    icons = found.get(_ICONS, b"")
    name = found.get(_NAME)
    return UnixDiag(
        inode,
        type_,
        state,
        name if name is None or name[:1] == b"\0" else name.rstrip(b"\0"),
        peer,
        receive,
        send,
        struct.unpack(f"={len(icons) // 4}I", icons),
        found.get(_SHUTDOWN, b"\0")[0],
    )


def parse_inet(answer: bytes) -> InetDiag:
    """An `inet_diag_msg`."""
    _, receive, send, _, inode = _INET_ANSWER.unpack_from(answer, 68)
    return InetDiag(answer[17], receive, send, inode)


def _attributes(answer: bytes, place: int, end: int) -> Iterator[tuple[int, bytes]]:
    while place + 4 <= end:
        length, type_ = _ATTRIBUTE.unpack_from(answer, place)
        if length < 4:
            return
        yield type_, answer[place + 4 : place + length]
        place += (length + 3) & ~3
