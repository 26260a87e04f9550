# fails: writes everything into a non-blocking pipe, and sleeps while that is full
# hears: 65536 of 300000 bytes arrived, then `write_all` returned
import contextlib
import os
import select


def write_all(fd, data):
    while data:
        if not select.select([], [fd], [], 0.1)[1]:
            return
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(fd, data) :]
