# fails: is two processes with one segment
# hears: Your processes have 2 segments, not one.
import os

import sysv_ipc


def team(r):
    child = os.fork()
    segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)
    segment.remove()
    segment.write(b"ready")
    os.read(r, 1)
    if child == 0:
        os._exit(0)
    os.wait()
