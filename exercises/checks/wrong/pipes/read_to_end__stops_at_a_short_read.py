# fails: waits for what comes later
# hears: It returned 10 of 4117 bytes: a read returns what is there
import os


def read_to_end(r, w):
    os.close(w)
    data = b""
    while True:
        piece = os.read(r, 4096)
        data += piece
        if len(piece) < 4096:
            return data
