# fails: goes on listening when the other side has stopped
# hears: who spoke in its place raised: that nobody listens is no error
import os


def exchange(r, w, data):
    pid = os.fork()
    if pid == 0:
        while data:
            data = data[os.write(w, data) :]
        os._exit(0)
    os.close(w)
    heard = b""
    while p := os.read(r, 65536):
        heard += p
    os.waitpid(pid, 0)
    return heard
