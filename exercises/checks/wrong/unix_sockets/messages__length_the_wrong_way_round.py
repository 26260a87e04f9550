# fails: finds every message, however the bytes come
# hears: Your code raised EOFError
import os


def exactly(fd, count):
    data = b""
    while len(data) < count:
        piece = os.read(fd, min(65536, count - len(data)))
        if not piece:
            break
        data += piece
    return data


def messages(fd):
    found = []
    while head := exactly(fd, 4):
        body = exactly(fd, size := int.from_bytes(head, "little"))
        if len(body) < size:
            raise EOFError
        found.append(body)
    return found
