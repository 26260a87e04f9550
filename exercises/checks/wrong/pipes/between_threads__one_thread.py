# fails: has two threads at work at the same time, and a pipe between them
# hears: it had no pipe of its own
import os


def in_capitals(r, out):
    while piece := os.read(r, 65536):
        os.write(out, piece.upper())
