# fails: finds every message, however the bytes come
# hears: The other side was silent for a moment, and it returned
import socket


def messages(fd):
    s = socket.socket(fileno=fd)
    s.settimeout(0.2)
    out = []
    buf = b""
    try:
        while p := s.recv(65536):
            buf += p
    except TimeoutError:
        pass
    while buf:
        n = int.from_bytes(buf[:4], "big")
        if len(buf) < 4 + n or len(buf) < 4:
            raise EOFError
        out.append(buf[4 : 4 + n])
        buf = buf[4 + n :]
    return out
