# fails: is two processes with one segment
# hears: It returned while its child was still there
import os

import sysv_ipc


def team(r):
    segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)
    segment.write(b"ready")
    segment.remove()
    if os.fork() == 0:
        os.read(r, 1)
        os._exit(0)
    os.read(r, 1)
