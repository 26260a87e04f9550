# fails: passes everything on in capitals, and then returns
# hears: their writer was still there, and it returned: it did not wait for the end
import os
import threading


def in_capitals(r, out):
    mr, mw = os.pipe()

    def rd():
        while True:
            d = os.read(r, 65536)
            os.write(mw, d.upper())
            if len(d) < 65536:
                break
        os.close(mw)

    t = threading.Thread(target=rd)
    t.start()
    while True:
        d = os.read(mr, 65536)
        os.write(out, d)
        if len(d) < 65536:
            break
    os.close(mr)
    t.join()
