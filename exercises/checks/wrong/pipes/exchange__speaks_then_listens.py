# fails: listens while it speaks
# hears: It never ends:
import os


def exchange(r, w, data):
    while data:
        data = data[os.write(w, data) :]
    os.close(w)
    heard = b""
    while piece := os.read(r, 65536):
        heard += piece
    return heard
