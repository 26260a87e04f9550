"""Messages over a stream socket: a length, a JSON head, and bytes that may follow it.

Both sides of a notebook speak it: the notebook's process and the owner of its programs.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

Message = tuple[dict[str, Any], bytes]

_LENGTHS = struct.Struct("!II")


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    """One message as bytes."""
    text = json.dumps(head).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


class Decoder:
    """Bytes as they come -> messages, as soon as each is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take more bytes; yield every message that is now complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(self._buffer)
            end = _LENGTHS.size + head + body
            if len(self._buffer) < end:
                return
            text = bytes(self._buffer[_LENGTHS.size : _LENGTHS.size + head])
            rest = bytes(self._buffer[_LENGTHS.size + head : end])
            del self._buffer[:end]
            yield json.loads(text), rest


class Sender:
    """Sends without ever blocking; what the socket will not take yet waits here."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.waiting = bytearray()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Put a message at the end of the line."""
        self.waiting += encode(head, body)
        self.flush()

    def flush(self) -> None:
        """Hand over as much as the socket takes now."""
        while self.waiting:
            try:
                sent = self._socket.send(self.waiting, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self.waiting.clear()  # the other side is gone; its end is noticed by reading
                return
            del self.waiting[:sent]
