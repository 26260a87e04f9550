# fails: lets a reader in while another is there
# hears: only other readers were in
def reader(room, read):
    room.acquire(delta=3)
    read()
    room.release(delta=3)


def writer(room, write):
    room.acquire(delta=3)
    write()
    room.release(delta=3)
