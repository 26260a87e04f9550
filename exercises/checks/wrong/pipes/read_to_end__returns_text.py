# fails: waits for what comes later
# hears: It returned a value of type str, not bytes
import os


def read_to_end(r, w):
    os.close(w)
    with os.fdopen(r, encoding="latin-1", newline="") as file:
        return file.read()
