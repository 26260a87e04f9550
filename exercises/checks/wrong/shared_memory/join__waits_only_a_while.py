# fails: waits until whoever makes it is ready
# hears: its first byte was still 0; it returned all the same.
import time

import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, size=4096, init_character=b"\0")
    except sysv_ipc.ExistentialError:
        time.sleep(1)
        return False
    table.write(b"welcome", 1)
    table.write(b"\x01")
    return True
