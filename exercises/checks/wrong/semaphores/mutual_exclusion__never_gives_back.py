# fails: lets one process in at a time, and each of them once, in every order
# hears: In some order nobody can go on
def work(gate, use):
    gate.acquire()
    use()
