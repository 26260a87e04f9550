# fails: writes everything into a non-blocking pipe, and sleeps while that is full
# hears: it slept in `clock_nanosleep` and tried again
import os
import time


def write_all(fd, data):
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            time.sleep(0.01)
