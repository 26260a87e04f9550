# fails: passes everything on in capitals, and then returns
# hears: the read end of your own pipe was still open
import os
import threading


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()

    def read():
        while piece := os.read(r, 65536):
            os.write(middle_w, piece.upper())
        os.close(middle_w)

    reader = threading.Thread(target=read)
    reader.start()
    while piece := os.read(middle_r, 65536):
        os.write(out, piece)
    reader.join()
