# fails: lets a reader in while another is there
# hears: readers do not disturb each other
def reader(room, read):
    room.acquire(delta=2)
    read()
    room.release(delta=2)


def writer(room, write):
    room.acquire(delta=3)
    write()
    room.release(delta=3)
