# fails: leaves nothing behind
# hears: It left a process that sleeps in
import os
import select
import signal


def write_all(fd, data):
    if os.fork() == 0:
        os.close(fd)
        signal.pause()
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            select.select([], [fd], [])
