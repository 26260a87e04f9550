# fails: waits while the version is odd
# hears: The version was 7, so somebody was still writing
import struct

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    while True:
        before = table.read(8)
        cells = table.read(0, 8)
        if before == table.read(8):
            return sum(struct.unpack(f"<{len(cells) // 8}q", cells))
