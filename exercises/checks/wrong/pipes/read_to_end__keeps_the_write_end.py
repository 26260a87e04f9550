# fails: waits for what comes later
# hears: holds its only write end itself (descriptor 4)
import os


def read_to_end(r, w):
    data = b""
    while piece := os.read(r, 65536):
        data += piece
    return data
