# fails: never mixes two versions
# hears: it goes on and on: does it compare with a version of long ago?
import struct
import time

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    before = table.read(8)
    while before[0] % 2:
        time.sleep(0.001)
        before = table.read(8)
    while True:
        cells = table.read(0, 8)
        if table.read(8) == before:
            return sum(struct.unpack(f"<{len(cells) // 8}q", cells))
