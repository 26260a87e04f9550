# fails: says all of it, lets the other side know, and returns the answer
# hears: The other side has heard all, and waits for more: nobody closed `w`.
import os


def exchange(r, w, data):
    os.write(w, data)
    heard = b""
    while piece := os.read(r, 65536):
        heard += piece
    return heard
