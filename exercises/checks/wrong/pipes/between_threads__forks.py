# fails: has two threads at work at the same time, and a pipe between them
# hears: two threads of one process are asked for
import os


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()
    if os.fork() == 0:
        os.close(middle_r)
        while piece := os.read(r, 65536):
            os.write(middle_w, piece.upper())
        os._exit(0)
    os.close(middle_w)
    while piece := os.read(middle_r, 65536):
        os.write(out, piece)
    os.close(middle_r)
    os.wait()
