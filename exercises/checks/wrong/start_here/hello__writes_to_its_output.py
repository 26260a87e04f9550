# fails: writes the five bytes of hello into the pipe
# hears: Nothing came out at the other end of the pipe.
import os


def hello(w):
    os.write(1, b"hello")
