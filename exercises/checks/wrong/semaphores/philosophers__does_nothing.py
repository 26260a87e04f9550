# fails: never lets two eat who share a fork, and holds no fork while it waits, in every order
# hears: were in `eat` at the same time
def take(semop, left, right):
    pass


def put_back(semop, left, right):
    pass
