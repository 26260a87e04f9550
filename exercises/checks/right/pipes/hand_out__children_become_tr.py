import os


def hand_out(texts, out):
    children = []
    for _ in texts:
        r, w = os.pipe()  # close-on-exec, both of them
        pid = os.fork()
        if pid == 0:
            os.dup2(r, 0)
            os.dup2(out, 1)
            os.execvp("tr", ["tr", "a-z", "A-Z"])
        os.close(r)
        children.append((pid, w))
    for (pid, w), text in zip(children, texts, strict=True):
        with open(w, "wb") as pipe:
            pipe.write(text)
        os.waitid(os.P_PID, pid, os.WEXITED)
