# fails: makes one segment when somebody else comes at the same time
# hears: one of them returned when the segment was not yet ready
import time

import sysv_ipc


def join(key):
    try:
        s = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o600, size=4096, init_character=b"\0")
    except sysv_ipc.ExistentialError:
        s = sysv_ipc.SharedMemory(key)
        while s.read(1) != b"\1":
            time.sleep(0.01)
        return False
    s.write(b"\1welcome")
    return True
