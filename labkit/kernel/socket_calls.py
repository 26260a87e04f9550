"""The socket calls that look at somebody else's socket through a copied descriptor.

Some facts:

- `recv` with MSG_PEEK leaves the bytes where they are. Without room for control data it installs no
  descriptor, though some may travel with the message (recvmsg(2)); they stay in flight.
- With SO_PEEK_OFF set (only its owner would), each peek *moves* that offset, so that the owner's next
  peek would miss bytes. The default is -1: peeking moves nothing.
- A datagram or seqpacket socket shows its first message only; with MSG_TRUNC the result is that
  message's full size.
- A pending error (ECONNREFUSED after a datagram that nobody took) is told once, to whoever calls `recv`
  first, and getsockopt(SO_ERROR) takes it too. `poll` shows it as POLLERR and takes nothing.
- `socket.socket(fileno=…)` may change O_NONBLOCK, which belongs to the shared open file description,
  when somebody has called `socket.setdefaulttimeout`: not to be used on a copy.

What follows for us: the C functions are called on the bare number, and nothing is ever set.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import termios
from fcntl import ioctl

SO_PEEK_OFF = 42
SO_MEMINFO = 55

_libc = ctypes.CDLL(None, use_errno=True)
_recv = _libc.recv
_recv.restype = ctypes.c_ssize_t
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_getsockopt = _libc.getsockopt
_getsockopt.argtypes = (
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_names = {"local": _libc.getsockname, "remote": _libc.getpeername}
for _function in _names.values():
    _function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def _failed(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), call)


def option(fd: int, level: int, name: int, size: int = 4) -> bytes:
    """getsockopt(2), as bytes."""
    buffer = ctypes.create_string_buffer(size)
    length = ctypes.c_uint(size)
    if _getsockopt(fd, level, name, buffer, ctypes.byref(length)) < 0:
        raise _failed("getsockopt")
    return buffer.raw[: length.value]


def number(fd: int, name: int, level: int = socket.SOL_SOCKET) -> int:
    """getsockopt(2) of an int."""
    value: int = struct.unpack("=i", option(fd, level, name))[0]
    return value


def address(fd: int, which: str) -> bytes | None:
    """The raw `local` or `remote` address; None when it has none."""
    buffer = ctypes.create_string_buffer(128)
    length = ctypes.c_uint(128)
    if _names[which](fd, buffer, ctypes.byref(length)) < 0:
        return None
    return buffer.raw[: length.value]


def parse_inet_address(raw: bytes) -> tuple[str, int] | None:
    """(host, port) of a raw `sockaddr_in` or `sockaddr_in6`."""
    if len(raw) < 8:
        return None
    family = struct.unpack_from("=H", raw)[0]
    port = struct.unpack_from("!H", raw, 2)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
    if family == socket.AF_INET6 and len(raw) >= 24:
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port
    return None


UNIX_ADDRESS_BYTES = 110
"""The size of a `sockaddr_un`."""


def parse_unix_address(raw: bytes) -> bytes | None:
    """The name in a raw `sockaddr_un`: abstract ones begin with a zero byte; None when unnamed."""
    name = raw[2:]
    return name if name[:1] == b"\0" else name.rstrip(b"\0") or None


def peer_pid(fd: int) -> int:
    """SO_PEERCRED: who called connect, socketpair or, of a listener, listen; 0 when not of our /proc."""
    pid: int = struct.unpack("=3i", option(fd, socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return pid


def receivable(fd: int) -> int | None:
    """FIONREAD: bytes to be received, or the size of the first datagram; None for a listener."""
    return _ioctl(fd, termios.FIONREAD)


def unsent(fd: int) -> int | None:
    """TIOCOUTQ: what was sent and is not yet taken (Unix: as memory) or acknowledged (TCP: bytes)."""
    return _ioctl(fd, termios.TIOCOUTQ)


def _ioctl(fd: int, request: int) -> int | None:
    try:
        answer: int = struct.unpack("=i", ioctl(fd, request, b"\0\0\0\0"))[0]
    except OSError:
        return None
    return answer


def peek(fd: int, size: int) -> tuple[bytes, int] | None:
    """The next bytes and, for datagrams, the first message's full size; None when nothing may be seen.

    Takes nothing, moves nothing, installs nothing, and does not wait.
    """
    if number(fd, SO_PEEK_OFF) >= 0 or _has_error(fd):
        return None
    buffer = ctypes.create_string_buffer(size)
    flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
    if number(fd, socket.SO_TYPE) != socket.SOCK_STREAM:
        flags |= socket.MSG_TRUNC  # on TCP the same flag would copy no bytes
    count = _recv(fd, buffer, size, flags)
    return None if count < 0 else (buffer.raw[: min(count, size)], count)


def _has_error(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
