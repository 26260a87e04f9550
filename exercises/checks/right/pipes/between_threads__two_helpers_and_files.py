import os
import threading


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()

    def read():
        with open(r, "rb", closefd=False) as source, open(middle_w, "wb") as target:
            target.write(source.read().upper())

    def write():
        with open(middle_r, "rb") as source, open(out, "wb", closefd=False) as target:
            for piece in iter(lambda: source.read(100), b""):
                target.write(piece)

    helpers = [threading.Thread(target=work) for work in (read, write)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
