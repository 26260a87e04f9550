# fails: finds the one that is there, and leaves its bytes alone
# hears: `join` raised ExistentialError: it must attach that one.
import sysv_ipc


def join(key):
    table = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o600, size=4096)
    table.write(b"welcome", 1)
    table.write(b"\x01")
    return True
