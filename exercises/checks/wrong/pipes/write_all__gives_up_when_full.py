# fails: writes everything into a non-blocking pipe whose reader is slow
# hears: Your code raised BlockingIOError
import os


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data) :]
