# fails: waits until whoever makes it is ready
# hears: its first byte was still 0; it returned all the same.
import sysv_ipc


def join(key):
    try:
        table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o600, size=4096)
    except sysv_ipc.ExistentialError:
        return False
    table.write(b"\x01welcome")
    return True
