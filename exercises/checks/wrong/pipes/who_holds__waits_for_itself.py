# fails: says whom the reader waits for
# hears: The second child's read does not wait for the second child.
def who_holds():
    return {
        "parent": "rw",
        "first child": "w",
        "second child": "r",
        "the reader waits for": ["parent", "first child", "second child"],
    }
