# fails: tells size, creator, and how many have it attached
# hears: Two processes had it attached; it said 3: it counted itself.
import sysv_ipc


def about(key):
    try:
        segment = sysv_ipc.SharedMemory(key)
    except sysv_ipc.ExistentialError:
        return None
    found = {
        "size": segment.size,
        "creator": segment.creator_pid,
        "attached": segment.number_attached,
    }
    segment.detach()
    return found
