# fails: never lets two eat who share a fork, and holds no fork while it waits, in every order
# hears: were in `eat` at the same time
def take(semop, left, right):
    semop([(left, -1)])


def put_back(semop, left, right):
    semop([(left, +1)])
