# fails: leaves nothing behind
# hears: It left the file `received`
import os


def read_to_end(r, w):
    os.close(w)
    with open("received", "wb") as copy:
        while piece := os.read(r, 65536):
            copy.write(piece)
    with open("received", "rb") as copy:
        return copy.read()
