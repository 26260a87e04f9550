# fails: never mixes two versions
# hears: it returned a total that the table never had: old cells and new.
import struct
import time

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    while table.read(1)[0] % 2:
        time.sleep(0.001)
    sum_ = 0
    for at in range(8, table.size, 8):
        sum_ += struct.unpack("<q", table.read(8, at))[0]
    return sum_
