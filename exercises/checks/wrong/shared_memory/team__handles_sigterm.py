# fails: leaves no segment behind when both are killed
# hears: Both were ended by SIGKILL, and the segment is still there
import os
import signal
import sys

import sysv_ipc


def team(r):
    segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)
    segment.write(b"ready")
    child = os.fork()
    if child == 0:
        os.read(r, 1)
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda *_: (segment.remove(), sys.exit()))
    os.read(r, 1)
    os.wait()
    segment.remove()
