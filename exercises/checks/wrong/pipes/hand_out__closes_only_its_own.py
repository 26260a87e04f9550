# fails: hands three texts to three children, in order
# hears: It never ends: `hand_out` waits in wait4 for `hand_out/child` to end.
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
            os.close(w)
            shout(r, out)
            os._exit(0)
        os.close(r)
        children.append((pid, w))
    for (pid, w), text in zip(children, texts, strict=True):
        os.write(w, text)
        os.close(w)
        os.waitpid(pid, 0)
