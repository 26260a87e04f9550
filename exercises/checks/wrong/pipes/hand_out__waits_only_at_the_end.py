# fails: hands three texts to three children, in order
# hears: another had its own already: wait for the first
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
            for end in [w, *(other for _, other in children)]:
                os.close(end)
            shout(r, out)
            os._exit(0)
        os.close(r)
        children.append((pid, w))
    for (_, w), text in zip(children, texts, strict=True):
        os.write(w, text)
        os.close(w)
    for pid, _ in children:
        os.waitpid(pid, 0)
