# fails: writes everything when a signal interrupts it in a full pipe
# hears: 65536 of 300000 bytes arrived, then `write_all` returned: `os.write` took only a part
import os


def write_all(fd, data):
    os.write(fd, data)
