# fails: adds up the cells of a table at rest
# hears: that is not what the cells add up to
def total(key):
    return 0
