# fails: finds every message, however the bytes come
# hears: Your code raised EOFError
import os


def messages(fd):
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = os.read(fd, count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    found = []
    while True:
        found.append(exactly(int.from_bytes(exactly(4), "big")))
