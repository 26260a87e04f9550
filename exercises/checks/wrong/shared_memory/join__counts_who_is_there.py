# fails: makes one segment when somebody else comes at the same time
# hears: both wait: each takes the other for the one who makes it
import time

import sysv_ipc


def join(key):
    segment = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREAT, size=4096)
    if segment.number_attached == 1 and segment.read(1) != b"\x01":
        segment.write(b"welcome", 1)
        segment.write(b"\x01")
        return True
    while segment.read(1) != b"\x01":
        time.sleep(0.001)
    return False
