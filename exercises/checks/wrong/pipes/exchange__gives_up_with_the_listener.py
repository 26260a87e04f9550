# fails: goes on listening when the other side has stopped
# hears: Your code raised BrokenPipeError
import os
import select


def exchange(r, w, data):
    os.set_blocking(w, False)
    heard = b""
    while data:
        readable, writable, _ = select.select([r], [w], [])
        if readable:
            heard += os.read(r, 65536)
        if writable:
            data = data[os.write(w, data) :]
    os.close(w)
    while piece := os.read(r, 65536):
        heard += piece
    return heard
