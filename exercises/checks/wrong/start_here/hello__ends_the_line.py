# fails: writes the five bytes of hello into the pipe
# hears: after `hello` there was the end of a line
import os


def hello(w):
    os.write(w, b"hello\n")
