# fails: makes one segment when somebody else comes at the same time
# hears: one of them returned when the segment was not yet ready
import time

import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, size=4096, init_character=b"\0")
    except sysv_ipc.ExistentialError:
        table = sysv_ipc.SharedMemory(key)
        while table.read(1) != b"\x01":
            time.sleep(0.001)
        return False
    table.write(b"\x01")
    table.write(b"welcome", 1)
    return True
