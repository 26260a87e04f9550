# fails: says all of it, lets the other side know, and returns the answer
# hears: The other side has heard all, and waits for more: nobody closed `w`.
import os


def exchange(r, w, data):
    if os.fork() == 0:
        os.write(w, data)
        os._exit(0)
    heard = b""
    while piece := os.read(r, 65536):
        heard += piece
    os.wait()
    return heard
