# fails: sleeps while the other side is silent
# hears: The other side was silent, and it kept trying.
import contextlib
import os


def exchange(r, w, data):
    os.set_blocking(r, False)
    os.set_blocking(w, False)
    heard = b""
    speaking = True
    while True:
        if speaking:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(w, data) :]
            if not data:
                os.close(w)
                speaking = False
        with contextlib.suppress(BlockingIOError):
            piece = os.read(r, 65536)
            if not piece:
                return heard
            heard += piece
