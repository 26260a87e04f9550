import os
import select
import threading


def in_capitals(r, out):
    a, b = os.pipe()

    def pump(source, target, change):
        while True:
            select.select([source], [], [])
            piece = os.read(source, 4096)
            if not piece:
                return
            select.select([], [target], [])
            os.write(target, change(piece))

    def read():
        pump(r, b, bytes.upper)
        os.close(b)

    t = threading.Thread(target=read)
    t.start()
    pump(a, out, bytes)
    os.close(a)
    t.join()
