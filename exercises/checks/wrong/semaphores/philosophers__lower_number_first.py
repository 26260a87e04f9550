# fails: never lets two eat who share a fork, and holds no fork while it waits, in every order
# hears: took one fork and waited for the other
def take(semop, left, right):
    semop([(min(left, right), -1)])
    semop([(max(left, right), -1)])


def put_back(semop, left, right):
    semop([(left, +1), (right, +1)])
