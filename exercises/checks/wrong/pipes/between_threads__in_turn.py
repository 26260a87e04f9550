# fails: has two threads at work at the same time, and a pipe between them
# hears: and the other did not fill your pipe
import os
import threading


def in_capitals(r, out):
    middle_r, middle_w = os.pipe()
    turn, other = threading.Semaphore(1), threading.Semaphore(0)

    def read():
        while piece := os.read(r, 4096):
            turn.acquire()
            os.write(middle_w, piece.upper())
            other.release()
        turn.acquire()
        os.close(middle_w)
        other.release()

    reader = threading.Thread(target=read)
    reader.start()
    while True:
        other.acquire()
        piece = os.read(middle_r, 4096)
        if not piece:
            break
        os.write(out, piece)
        turn.release()
    os.close(middle_r)
    reader.join()
