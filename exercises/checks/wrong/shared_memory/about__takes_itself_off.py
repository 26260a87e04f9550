# fails: changes nothing by looking
# hears: the record says that your process was the last to attach or detach
import sysv_ipc


def about(key):
    try:
        segment = sysv_ipc.SharedMemory(key)
    except sysv_ipc.ExistentialError:
        return None
    segment.detach()
    return {
        "size": segment.size,
        "creator": segment.creator_pid,
        "attached": segment.number_attached,
    }
