# fails: says all of it, lets the other side know, and returns the answer
# hears: It never ends:
import os


def exchange(r, w, data):
    heard = b""
    while data:
        data = data[os.write(w, data[:65536]) :]
        if data:
            heard += os.read(r, 65536)
    os.close(w)
    while piece := os.read(r, 65536):
        heard += piece
    return heard
