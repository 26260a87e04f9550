# fails: lets all three eat, in every order
# hears: In the end the forks' semaphores were
IPC_NOWAIT = 0o4000


def take(semop, left, right):
    try:
        semop([(left, -1, IPC_NOWAIT), (right, -1, IPC_NOWAIT)])
    except BlockingIOError:
        print("busy")


def put_back(semop, left, right):
    semop([(left, +1), (right, +1)])
