# fails: names every number that can be printed, and no other
# hears: All on your list can happen, but 2 of 3 results are missing
def possible():
    return [11]
