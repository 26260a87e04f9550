"""Sockets: what can be known of one, from sock_diag, from a copied descriptor, and from /proc.

Some facts (unix(7), tcp(7), udp(7); checked on Linux 6.18):

- A connected stream whose other end was closed stays "established" for the kernel; it is shut down
  both ways and its peer has inode 0. We call it `closed`.
- A stream keeps no message boundaries. Seqpacket and datagram sockets do, but only the first
  message's size can be asked for; how many more there are cannot.
- A listener's queue holds its backlog plus one (Unix and TCP alike). The sockets in it have no inode:
  no process has them yet. What their clients already sent waits in them.
- TCP_INFO of a listener has its queue's length in `tcpi_unacked` and its backlog in `tcpi_sacked`; of a
  connection, `tcpi_unacked` counts packets sent and not acknowledged. A receiver may wait 40 ms before it
  acknowledges, and a sender may keep a small packet back for as long (Nagle): both programs sleep
  meanwhile, and go on by themselves. When the other side's buffer is full, nothing is left in transit.
- A UDP socket's queue is counted in memory, overhead included, as `ss` shows it; FIONREAD is the
  size of its first datagram.
- /proc/PID/net/unix, tcp, udp, … list the sockets of that process's network namespace for every
  user, without peers or backlogs, and slowly (milliseconds).
- Descriptors in flight are counted by `scm_fds` in the *receiver's* fdinfo (since Linux 5.10).

What follows for us: Unix sockets come from sock_diag and are copied only to show bytes when there are
some; internet sockets come from a copy. Where copying is refused, /proc/PID/net answers.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel import socket_calls as calls
from labkit.kernel.sock_diag import SockDiag, UnixDiag

HEAD_BYTES = 64
TYPES = {1: "stream", 2: "dgram", 3: "raw", 5: "seqpacket"}
LISTEN = 10
TCP_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
    7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV",
}  # fmt: skip
"""The names that netstat and the kernel's own `tcp_states.h` use."""

Address = tuple[str, int]


class UnixFacts(NamedTuple):
    """What is known of a Unix socket. None: not known."""

    inode: int
    type: str | None
    state: str | None
    path: str | None = None
    peer: int | None = None
    """Inode of the other end; None when there is none (any more), or it is not known."""
    pending: bool = False
    """Connected, but the other side has not accepted yet."""
    queued: int | None = None
    head: bytes | None = None
    backlog: int | None = None
    waiting: int | None = None
    first: int | None = None
    """Of datagrams and seqpackets: the size of the first message."""
    clients: tuple[int, ...] = ()
    """Of a listener: the inodes of those in its backlog."""
    shutdown: int = 0
    """1: will receive no more; 2: will send no more."""


class InetFacts(NamedTuple):
    """What is known of an internet socket. None: not known."""

    inode: int
    protocol: str
    state: str | None
    local: Address | None
    remote: Address | None
    receive: int | None = None
    send: int | None = None
    in_transit: int | None = None
    """TCP: packets sent and not acknowledged yet."""
    first: int | None = None
    """UDP: size of the first datagram."""
    head: bytes | None = None
    backlog: int | None = None
    waiting: int | None = None


# --- Unix sockets -----------------------------------------------------------------------------------


def unix_from_diag(diag: UnixDiag) -> UnixFacts:
    """All but the head."""
    listening = diag.state == LISTEN
    pending = diag.peer == 0 and diag.shutdown != 3
    return UnixFacts(
        inode=diag.inode,
        type=TYPES.get(diag.type),
        state=_unix_state(diag),
        path=shown_name(diag.name),
        peer=diag.peer or None,
        pending=pending,
        queued=None if listening else diag.receive,
        head=None if listening or diag.receive else b"",
        backlog=diag.send if listening else None,
        waiting=diag.receive if listening else None,
        clients=diag.waiting,
        shutdown=diag.shutdown,
    )


def _unix_state(diag: UnixDiag) -> str:
    if diag.state == LISTEN:
        return "listening"
    if diag.peer is None:
        return "unconnected"
    return "closed" if diag.peer == 0 and diag.shutdown == 3 else "connected"


def unix_from_copy(inode: int, fd: int) -> UnixFacts:
    """What a copied descriptor tells by itself: no peer, no backlog."""
    listening = calls.number(fd, socket.SO_ACCEPTCONN) != 0
    connected = calls.address(fd, "remote") is not None
    raw = calls.address(fd, "local")
    return UnixFacts(
        inode=inode,
        type=TYPES.get(calls.number(fd, socket.SO_TYPE)),
        state="listening" if listening else "connected" if connected else "unconnected",
        path=shown_name(calls.parse_unix_address(raw)) if raw else None,
        queued=None if listening else calls.receivable(fd),
    )


def unix_from_proc(pid: int) -> dict[int, UnixFacts]:
    """By inode, what /proc/PID/net/unix lists."""
    try:
        return parse_proc_unix(proc.read(b"/proc/%d/net/unix" % pid, whole=True))
    except (Vanished, OSError):
        return {}


def parse_proc_unix(text: bytes) -> dict[int, UnixFacts]:
    """`/proc/PID/net/unix`, by inode."""
    found = {}
    for line in text.split(b"\n")[1:]:
        words = line.split(None, 7)
        if len(words) < 7:
            continue
        inode, type_, state = int(words[6]), int(words[4], 16), int(words[5], 16)
        listening = bool(int(words[3], 16) & 0x10000)
        path = words[7].decode("utf-8", "backslashreplace") if len(words) > 7 else None
        word = "listening" if listening else {1: "unconnected", 3: "connected"}.get(state)
        found[inode] = UnixFacts(inode, TYPES.get(type_), word, path)
    return found


def shown_name(name: bytes | None) -> str | None:
    """A socket's name as `ss` writes it: zero bytes, with which abstract names begin, become `@`."""
    return name.replace(b"\0", b"@").decode("utf-8", "backslashreplace") if name else None


# --- internet sockets -------------------------------------------------------------------------------


def inet_from_copy(inode: int, fd: int) -> InetFacts | None:
    """All that a copied descriptor tells; None when it is neither TCP nor UDP."""
    family, protocol = calls.number(fd, socket.SO_DOMAIN), calls.number(fd, socket.SO_PROTOCOL)
    name = protocol_name(family, protocol)
    if name is None:
        return None
    local, remote = calls.address(fd, "local"), calls.address(fd, "remote")
    facts = InetFacts(
        inode,
        name,
        None,
        calls.parse_inet_address(local) if local else None,
        calls.parse_inet_address(remote) if remote else None,
    )
    return _tcp(facts, fd) if protocol == socket.IPPROTO_TCP else _udp(facts, fd)


def protocol_name(family: int, protocol: int) -> str | None:
    """`tcp`, `udp6`…; None for others."""
    return _PROTOCOLS.get((family, protocol))


_PROTOCOLS: dict[tuple[int, int], str] = {
    (socket.AF_INET, socket.IPPROTO_TCP): "tcp",
    (socket.AF_INET6, socket.IPPROTO_TCP): "tcp6",
    (socket.AF_INET, socket.IPPROTO_UDP): "udp",
    (socket.AF_INET6, socket.IPPROTO_UDP): "udp6",
}


def _tcp(facts: InetFacts, fd: int) -> InetFacts:
    info = calls.option(fd, socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    state = info[0]
    facts = facts._replace(state=TCP_STATES.get(state))
    if state == LISTEN:
        waiting, backlog = struct.unpack_from("=II", info, 24)
        return facts._replace(waiting=waiting, backlog=backlog)
    (in_transit,) = struct.unpack_from("=I", info, 24)
    return facts._replace(receive=calls.receivable(fd), send=calls.unsent(fd), in_transit=in_transit)


def _udp(facts: InetFacts, fd: int) -> InetFacts:
    memory = calls.option(fd, socket.SOL_SOCKET, calls.SO_MEMINFO, 36)
    receive, _, send = struct.unpack_from("=III", memory)
    return facts._replace(
        state="connected" if facts.remote else "unconnected",
        receive=receive,
        send=send,
        first=calls.receivable(fd) if receive else None,
    )


_PROC_FILES = ("tcp", "tcp6", "udp", "udp6")


def inet_from_proc(pid: int) -> dict[int, InetFacts]:
    """By inode, what /proc/PID/net lists. Slow: only where copying is refused."""
    found = {}
    for name in _PROC_FILES:
        try:
            text = proc.read(b"/proc/%d/net/%s" % (pid, name.encode()), whole=True)
            found.update(parse_proc_inet(name, text))
        except (Vanished, OSError):  # no IPv6 here, or gone
            continue
    return found


def parse_proc_inet(protocol: str, text: bytes) -> dict[int, InetFacts]:
    """`/proc/PID/net/tcp` and its like, by inode; sockets that no process has are left out."""
    found = {}
    for line in text.split(b"\n")[1:]:
        words = line.split()
        if len(words) < 10 or words[9] == b"0":
            continue
        state, inode = int(words[3], 16), int(words[9])
        send, receive = (int(word, 16) for word in words[4].split(b":"))
        remote = _proc_address(words[2])
        facts = InetFacts(inode, protocol, None, _proc_address(words[1]), remote if remote[1] else None)
        if protocol.startswith("udp"):
            found[inode] = facts._replace(
                state="connected" if state == 1 else "unconnected", receive=receive, send=send
            )
        elif state == LISTEN:
            found[inode] = facts._replace(state="LISTEN", waiting=receive)
        else:
            found[inode] = facts._replace(state=TCP_STATES.get(state), receive=receive, send=send)
    return found


def _proc_address(word: bytes) -> Address:
    """`0100007F:1F90`: the address as 32-bit words in this machine's byte order, the port as a number."""
    host, port = word.split(b":")
    raw = b"".join(struct.pack("=I", int(host[i : i + 8], 16)) for i in range(0, len(host), 8))
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, raw), int(port, 16)


def shown_address(address: Address | None) -> str | None:
    """`127.0.0.1:8080`, `[::1]:8080`."""
    if address is None:
        return None
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def in_backlog(diag: SockDiag, facts: InetFacts) -> bool:
    """True when the other end of this connection exists and no process has accepted it yet."""
    if facts.local is None or facts.remote is None or not facts.protocol.startswith("tcp"):
        return False
    other = diag.inet(socket.IPPROTO_TCP, facts.remote, facts.local)
    return other is not None and other.inode == 0 and other.state in (1, 3, 8, 12)


def in_flight(info: proc.FdInfo | None) -> int | None:
    """How many descriptors travel in the messages waiting at this socket; None on older kernels."""
    for line in info.more if info else ():
        if line.startswith(b"scm_fds:"):
            return int(line[8:])
    return None


def inode_of(link: bytes) -> int | None:
    """The inode in `socket:[123]`."""
    return int(link[8:-1]) if link.startswith(b"socket:[") else None


def family_of(fd: int) -> str:
    """The name of a copied socket's family: `netlink`, `packet`, `vsock`…"""
    family = calls.number(fd, socket.SO_DOMAIN)
    try:
        return socket.AddressFamily(family).name.removeprefix("AF_").lower()
    except ValueError:
        return f"family {family}"
