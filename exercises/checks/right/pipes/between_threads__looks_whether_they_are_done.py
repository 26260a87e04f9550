import os
import threading


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()

    def read():
        while piece := os.read(r, 4096):
            os.write(middle_w, piece.upper())
        os.close(middle_w)

    def write():
        while piece := os.read(middle_r, 4096):
            os.write(out, piece)
        os.close(middle_r)

    helpers = [threading.Thread(target=work) for work in (read, write)]
    for helper in helpers:
        helper.start()
    while any(helper.is_alive() for helper in helpers):
        helpers[0].join(0.02)
        helpers[1].join(0.02)
