# fails: never puts into a full buffer nor takes from an empty one, in every order
# hears: The producer put something in while the buffer was full.
def produce(count, free, full, gate, put):
    for _ in range(count):
        gate.acquire()
        put()
        gate.release()


def consume(count, free, full, gate, take):
    for _ in range(count):
        gate.acquire()
        take()
        gate.release()
