# fails: lets a writer in only when nobody else is, in every order
# hears: reader and writer were in `read` and `write` at the same time
def reader(room, read):
    room.acquire()
    read()
    room.release()


def writer(room, write):
    room.acquire(3)  # the first argument is a time limit
    write()
    room.release(3)
