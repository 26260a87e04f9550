# fails: says whom the reader waits for
# hears: If all on your list were gone, its read would still wait: for the first child.
def who_holds():
    return {
        "parent": "rw",
        "first child": "w",
        "second child": "r",
        "the reader waits for": ["parent"],
    }
