# fails: passes everything on in capitals, and then returns
# hears: Before it returns, both threads must be done
import os
import threading


def in_capitals(r, out):
    mr, mw = os.pipe()

    def rd():
        while d := os.read(r, 4096):
            os.write(mw, d.upper())
        os.close(mw)

    def wr():
        while d := os.read(mr, 4096):
            os.write(out, d)
        os.close(mr)

    a, b = threading.Thread(target=rd), threading.Thread(target=wr)
    a.start()
    b.start()
    a.join()
