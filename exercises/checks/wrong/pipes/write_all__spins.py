# fails: writes everything into a non-blocking pipe, and sleeps while that is full
# hears: While the pipe was full it kept trying
import contextlib
import os


def write_all(fd, data):
    while data:
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(fd, data) :]
