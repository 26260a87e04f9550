import os
import select

import sysv_ipc


def team(r):
    segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)
    segment.write(b"ready")
    segment.remove()
    child = os.fork()
    poll = select.poll()
    poll.register(r, select.POLLIN)
    poll.poll()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
