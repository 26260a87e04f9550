# fails: names every number that can be printed, and no other
# hears: 0 is on your list: there is no order that leads there
def possible():
    return [0, 1, 10, 11]
