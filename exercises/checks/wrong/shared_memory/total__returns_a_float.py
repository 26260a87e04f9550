# fails: adds up the cells of a table at rest
# hears: It returned a value of type float, not a whole number
import struct
import time

import sysv_ipc


def total(key):
    s = sysv_ipc.SharedMemory(key)
    while True:
        b = s.read(8)
        c = s.read(0, 8)
        if b == s.read(8) and b[0] % 2 == 0:
            return float(sum(struct.unpack(f"<{len(c) // 8}q", c)))
        time.sleep(0.001)
