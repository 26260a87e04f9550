# fails: adds up the cells of a table at rest
# hears: The cells are below zero, and it took them for unsigned numbers
import struct

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)
    while True:
        before = table.read(8)
        cells = table.read(0, 8)
        if before[0] % 2 == 0 and table.read(8) == before:
            return sum(struct.unpack(f"<{len(cells) // 8}Q", cells))
