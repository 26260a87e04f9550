# fails: tells size, creator, and how many have it attached
# hears: none with the key it was asked for; it did not return None.
def about(key):
    with open("/proc/sysvipc/shm") as file:
        next(file)
        found = next(file).split()
    return {"size": int(found[3]), "creator": int(found[4]), "attached": int(found[6])}
