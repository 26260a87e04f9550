# fails: hands one text to one child
# hears: It started a thread for each text: a child is asked for
import os
import threading


def shout(r, out):
    with open(r, "rb") as text:
        os.write(out, text.read().upper())


def hand_out(texts, out):
    ts = []
    for _ in texts:
        r, w = os.pipe()
        t = threading.Thread(target=shout, args=(r, out))
        t.start()
        ts.append((t, w))
    for (t, w), text in zip(ts, texts, strict=True):
        os.write(w, text)
        os.close(w)
        t.join()
