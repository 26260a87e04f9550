# fails: finds the one that is there, and leaves its bytes alone
# hears: Somebody's bytes were in the segment, and your process wrote over them.
import sysv_ipc


def join(key):
    table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREAT, mode=0o600, size=4096)
    table.write(b"welcome", 1)
    table.write(b"\x01")
    return True
