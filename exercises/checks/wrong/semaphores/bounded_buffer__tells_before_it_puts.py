# fails: never puts into a full buffer nor takes from an empty one, in every order
# hears: The consumer took from an empty buffer
def produce(count, free, full, gate, put):
    for _ in range(count):
        free.acquire()
        full.release()
        gate.acquire()
        put()
        gate.release()


def consume(count, free, full, gate, take):
    for _ in range(count):
        full.acquire()
        gate.acquire()
        take()
        gate.release()
        free.release()
