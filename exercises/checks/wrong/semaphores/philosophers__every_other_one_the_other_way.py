# fails: never lets two eat who share a fork, and holds no fork while it waits, in every order
# hears: The philosopher took one fork and waited for the other
def take(semop, left, right):
    first, second = (right, left) if left % 2 else (left, right)
    semop([(first, -1)])
    semop([(second, -1)])


def put_back(semop, left, right):
    semop([(left, +1), (right, +1)])
