def who_holds():
    ends = {"parent": "rw", "first child": "w", "second child": "r"}
    return ends | {"the reader waits for": {name for name, held in ends.items() if "w" in held}}
