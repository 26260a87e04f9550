# fails: lets one process in at a time, and each of them once, in every order
# hears: were in `use` at the same time
def work(gate, use):
    gate.release()
    use()
    gate.acquire()
