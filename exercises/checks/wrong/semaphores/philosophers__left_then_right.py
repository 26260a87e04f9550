# fails: lets all three eat, in every order
# hears: In some order nobody can go on
def take(semop, left, right):
    semop([(left, -1)])
    semop([(right, -1)])


def put_back(semop, left, right):
    semop([(left, +1), (right, +1)])
