# fails: makes the segment when there is none, for its user alone
# hears: There is no segment with this key after it.
import time

import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o600, size=4096)
    except sysv_ipc.ExistentialError:
        table = sysv_ipc.SharedMemory(key)
        while table.read(1) != b"\x01":
            time.sleep(0.001)
        return False
    table.write(b"\x01welcome")
    table.remove()
    return True
