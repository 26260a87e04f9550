# fails: says all of it, lets the other side know, and returns the answer
# hears: The other side heard 65536 bytes, and then the end
import os


def exchange(r, w, data):
    os.set_blocking(w, False)
    if data:
        os.write(w, data)
    os.close(w)
    with open(r, "rb") as answer:
        return answer.read()
