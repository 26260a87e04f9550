# fails: finds every message, however the bytes come
# hears: it returned 1, of 5 bytes
import os


def exactly(fd, count):
    data = b""
    while len(data) < count and (piece := os.read(fd, count - len(data))):
        data += piece
    return data


def messages(fd):
    found = []
    while body := exactly(fd, int.from_bytes(exactly(fd, 4), "big")):
        found.append(body)
    return found
