# fails: raises EOFError when the end comes inside a message
# hears: The other side was gone inside a length, and `messages` returned as if all was well
import os


def exactly(fd, count):
    data = b""
    while len(data) < count and (piece := os.read(fd, count - len(data))):
        data += piece
    return data


def messages(fd):
    found = []
    while len(head := exactly(fd, 4)) == 4:
        found.append(exactly(fd, int.from_bytes(head, "big")))
    return found
