# fails: has all children at once, and none of them holds an end that it does not use
# hears: While the first of three children wrote, the others were not there: 1 of 3.
import os


def shout(r, out):
    text = b""
    while piece := os.read(r, 65536):
        text += piece
    os.write(out, text.upper())


def hand_out(texts, out):
    for text in texts:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(w)
            shout(r, out)
            os._exit(0)
        os.close(r)
        os.write(w, text)
        os.close(w)
        os.waitpid(pid, 0)
