# fails: finds every message, however the bytes come
# hears: 2 messages came in 7 pieces, of 7, 65536 bytes; it returned
import os


def messages(fd):
    found = []
    while head := os.read(fd, 4):
        found.append(os.read(fd, size) if (size := int.from_bytes(head, "big")) else b"")
    return found
