# fails: hands one text to one child
# hears: A child raised an error before it had written its text
import os


def shout(r, out):
    with open(r, "rb") as text:
        os.write(out, text.read().upper())


def hand_out(texts, out):
    children = []
    for _ in texts:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(w)
            for _, older in children:
                os.close(older)
            os.close(w)
            shout(r, out)
            os._exit(0)
        os.close(r)
        children.append((pid, w))
    for (pid, w), text in zip(children, texts, strict=True):
        os.write(w, text)
        os.close(w)
        os.waitpid(pid, 0)
