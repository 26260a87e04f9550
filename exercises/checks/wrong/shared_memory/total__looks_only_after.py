# fails: never mixes two versions
# hears: it returned a total that the table never had: old cells and new.
import struct
import time

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    while True:
        cells = table.read(0, 8)
        if table.read(1)[0] % 2 == 0:
            return sum(struct.unpack(f"<{len(cells) // 8}q", cells))
        time.sleep(0.001)
