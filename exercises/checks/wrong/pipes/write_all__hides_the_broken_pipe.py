# fails: tells its caller when nobody can read any more
# hears: `write_all` returned as if all was well
import os
import select


def write_all(fd, data):
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError:
            return
