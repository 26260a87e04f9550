# fails: lets one process in at a time, and each of them once, in every order
# hears: The semaphore `gate` was removed: it is not yours
def work(gate, use):
    gate.acquire()
    use()
    gate.release()
    gate.remove()
