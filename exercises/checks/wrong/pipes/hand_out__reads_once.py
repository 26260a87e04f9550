# fails: hands one text to one child
# hears: 65536 of 100000 bytes came back, and they are not what was handed out.
import os


def shout(r, out):
    os.write(out, os.read(r, 65536).upper())


def hand_out(texts, out):
    children = []
    for _ in texts:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            shout(r, out)
            os._exit(0)
        children.append((pid, w))
    for (pid, w), text in zip(children, texts, strict=True):
        os.write(w, text)
        os.close(w)
        os.waitpid(pid, 0)
