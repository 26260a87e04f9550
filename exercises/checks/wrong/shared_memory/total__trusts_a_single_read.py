# fails: never mixes two versions
# hears: it returned a total that the table never had: old cells and new.
import struct
import time

import sysv_ipc


def total(key):
    s = sysv_ipc.SharedMemory(key)
    while True:
        d = s.read()
        v = int.from_bytes(d[:8], "little")
        if v % 2 == 0:
            return sum(struct.unpack(f"<{len(d) // 8 - 1}q", d[8:]))
        time.sleep(0.001)
