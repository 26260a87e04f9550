# fails: names every number that can be printed, and no other
# hears: 1 of 3 results is missing
def possible():
    return [1, 10]
