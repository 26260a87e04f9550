# fails: lets readers in together
# hears: In no order are two readers in at the same time
def reader(room, read):
    room.acquire(delta=3)
    read()
    room.release(delta=3)


def writer(room, write):
    room.acquire(delta=3)
    write()
    room.release(delta=3)
