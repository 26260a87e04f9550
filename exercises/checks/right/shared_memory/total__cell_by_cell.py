import time

import sysv_ipc


def total(key):
    table = sysv_ipc.SharedMemory(key)

    def number(at):
        return int.from_bytes(table.read(8, at), "little", signed=True)

    while True:
        before = number(0)
        found = sum(number(at) for at in range(8, table.size, 8))
        time.sleep(0.01)
        if number(0) == before and before % 2 == 0:
            return found
