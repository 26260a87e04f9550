# fails: lets one process in at a time, and each of them once, in every order
# hears: process B sleeps for a time, looks, and sleeps again
import time

import sysv_ipc


def work(gate, use):
    while True:
        try:
            gate.acquire(0)
            break
        except sysv_ipc.BusyError:
            time.sleep(0.01)
    use()
    gate.release()
