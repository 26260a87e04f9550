# fails: sleeps until there is room in a full non-blocking pipe
# hears: While the pipe was full it kept trying
import contextlib
import os


def write_all(fd, data):
    while data:
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(fd, data) :]
