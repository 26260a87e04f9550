# fails: listens while it speaks
# hears: It never ends:
import os
import select


def exchange(r, w, data):
    heard, ws = b"", [w]
    while True:
        a, b, _ = select.select([r], ws, [])
        if b:
            try:
                data = data[os.write(w, data[:65536]) :]
            except BrokenPipeError:
                data = b""
            if not data:
                os.close(w)
                ws = []
        if a:
            p = os.read(r, 65536)
            if not p:
                return heard
            heard += p
