# fails: lets one process in at a time, and each of them once, in every order
# hears: Your code raised BusyError
def work(gate, use):
    gate.acquire(timeout=0)
    use()
    gate.release()
