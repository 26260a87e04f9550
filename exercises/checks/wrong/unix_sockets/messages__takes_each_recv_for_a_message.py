# fails: finds every message, however the bytes come
# hears: 3 messages came at once, one of them empty, of 5, 0, 300 bytes; it returned 1, of 313 bytes
import os


def messages(fd):
    found = []
    while piece := os.read(fd, 65536):
        found.append(piece[4:])
    return found
