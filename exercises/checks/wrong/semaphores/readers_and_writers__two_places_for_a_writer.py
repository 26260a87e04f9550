# fails: lets a writer in only when nobody else is, in every order
# hears: at the same time
def reader(room, read):
    room.acquire()
    read()
    room.release()


def writer(room, write):
    room.acquire(delta=2)
    write()
    room.release(delta=2)
