# fails: reads on until every writer has gone
# hears: It returned 2000 of 102000 bytes while a writer was still there
import os
import signal


def read_to_end(r, w):
    os.close(w)

    def stop(*a):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    d = b""
    try:
        while x := os.read(r, 4096):
            d += x
    except TimeoutError:
        pass
    return d
