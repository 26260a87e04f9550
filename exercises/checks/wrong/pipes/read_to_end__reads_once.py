# fails: waits for what comes later
# hears: It returned 10 of 4117 bytes: a read returns what is there
import os


def read_to_end(r, w):
    os.close(w)
    return os.read(r, 1_000_000)
