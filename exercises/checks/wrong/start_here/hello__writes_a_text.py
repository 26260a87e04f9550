# fails: writes the five bytes of hello into the pipe
# hears: Your code raised TypeError
import os


def hello(w):
    os.write(w, "hello")
