# fails: writes everything into a non-blocking pipe, and sleeps while that is full
# hears: Your code raised BlockingIOError
import os


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data) :]
