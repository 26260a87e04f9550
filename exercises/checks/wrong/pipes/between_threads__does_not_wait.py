# fails: passes everything on in capitals, and then returns
# hears: their writer was still there, and it returned: it did not wait for the end
import os
import threading


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()

    def read():
        while piece := os.read(r, 65536):
            os.write(middle_w, piece.upper())
        os.close(middle_w)

    def write():
        while piece := os.read(middle_r, 65536):
            os.write(out, piece)

    threading.Thread(target=read, daemon=True).start()
    threading.Thread(target=write, daemon=True).start()
