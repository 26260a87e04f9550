# fails: lets one process in at a time, and each of them once, in every order
# hears: In the end the gate was 3, not 1
def work(gate, use):
    with gate:
        use()
        gate.release()
