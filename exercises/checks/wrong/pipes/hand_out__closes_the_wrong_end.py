# fails: hands one text to one child
# hears: pipe-2 is full (65,536 bytes), and nobody but itself could read from it
import os


def shout(r, out):
    text = b""
    while piece := os.read(r, 65536):
        text += piece
    os.write(out, text.upper())


def hand_out(texts, out):
    children = []
    for _ in texts:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(r)
                shout(r, out)
            finally:
                os._exit(1)
        children.append((pid, w))
    for (pid, w), text in zip(children, texts, strict=True):
        os.write(w, text)
        os.close(w)
        os.waitpid(pid, 0)
