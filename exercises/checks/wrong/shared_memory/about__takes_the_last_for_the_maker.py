# fails: tells size, creator, and how many have it attached
# hears: `creator` is not the pid of the process that made it.
def about(key):
    with open("/proc/sysvipc/shm") as file:
        lines = [line.split() for line in file]
    for found in lines[1:]:
        if int(found[0]) == key:
            return {"size": int(found[3]), "creator": int(found[5]), "attached": int(found[6])}
    return None
