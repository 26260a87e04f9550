# fails: lets one process at a time touch the buffer, in every order
# hears: at the same time
def produce(count, free, full, gate, put):
    for _ in range(count):
        free.acquire()
        put()
        full.release()


def consume(count, free, full, gate, take):
    for _ in range(count):
        full.acquire()
        take()
        free.release()
