# fails: says which ends each process holds
# hears: The second child and the write end: the kernel says that it does not hold it.
def who_holds():
    return {
        "parent": "rw",
        "first child": "w",
        "second child": "rw",
        "the reader waits for": ["parent", "first child"],
    }
