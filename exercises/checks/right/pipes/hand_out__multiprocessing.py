import multiprocessing
import os


def shout(r, out):
    with open(r, "rb") as text:
        os.write(out, text.read().upper())


def child(r, out, ends):
    for e in ends:
        os.close(e)
    shout(r, out)


def hand_out(texts, out):
    ctx = multiprocessing.get_context("fork")
    ws, ps = [], []
    for _ in texts:
        r, w = os.pipe()
        ws.append(w)
        p = ctx.Process(target=child, args=(r, out, list(ws)))
        p.start()
        os.close(r)
        ps.append(p)
    for p, w, text in zip(ps, ws, texts, strict=True):
        os.write(w, text)
        os.close(w)
        p.join()
