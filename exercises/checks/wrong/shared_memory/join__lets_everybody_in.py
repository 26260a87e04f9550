# fails: makes the segment when there is none, for its user alone
# hears: Its mode is 0666, not 0600.
import time

import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o666, size=4096)
    except sysv_ipc.ExistentialError:
        table = sysv_ipc.SharedMemory(key)
        while table.read(1) != b"\x01":
            time.sleep(0.001)
        return False
    table.write(b"welcome", 1)
    table.write(b"\x01")
    return True
