# fails: lets a writer in only when nobody else is, in every order
# hears: In some order nobody can go on
def reader(room, read):
    room.acquire()
    read()
    room.release()


def writer(room, write):
    room.acquire()
    room.acquire()
    room.acquire()
    write()
    room.release(delta=3)
