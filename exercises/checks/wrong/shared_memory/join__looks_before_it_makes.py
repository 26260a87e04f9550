# fails: makes one segment when somebody else comes at the same time
# hears: Two came at the same time, and both returned True.
import time

import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key)
    except sysv_ipc.ExistentialError:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREAT, size=4096, init_character=b"\0")
        table.write(b"welcome", 1)
        table.write(b"\x01")
        return True
    while table.read(1) != b"\x01":
        time.sleep(0.001)
    return False
