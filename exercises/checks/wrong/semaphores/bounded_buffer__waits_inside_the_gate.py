# fails: never puts into a full buffer nor takes from an empty one, in every order
# hears: In some order nobody can go on
def produce(count, free, full, gate, put):
    for _ in range(count):
        gate.acquire()
        free.acquire()
        put()
        full.release()
        gate.release()


def consume(count, free, full, gate, take):
    for _ in range(count):
        gate.acquire()
        full.acquire()
        take()
        free.release()
        gate.release()
