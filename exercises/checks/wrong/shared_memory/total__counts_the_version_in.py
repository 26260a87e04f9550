# fails: adds up the cells of a table at rest
# hears: that is not what the cells add up to
import struct
import time

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    while True:
        before = table.read(8)
        everything = table.read()
        if before == table.read(8) and before[0] % 2 == 0:
            return sum(struct.unpack(f"<{len(everything) // 8}q", everything))
        time.sleep(0.0001)
