# fails: writes everything when a signal interrupts it in a full pipe
# hears: only the first 65536 are right: after a short write, go on with the byte behind it
import os
import select


def write_all(fd, data):
    written = 0
    while written < len(data):
        try:
            written += os.write(fd, data[: len(data) - written])
        except BlockingIOError:
            select.select([], [fd], [])
