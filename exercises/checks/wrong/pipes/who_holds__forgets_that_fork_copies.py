# fails: says which ends each process holds
# hears: The parent and the read end: the kernel says that it holds it.
def who_holds():
    return {
        "parent": "",
        "first child": "w",
        "second child": "r",
        "the reader waits for": ["first child"],
    }
