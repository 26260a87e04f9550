import io
import os


class Cut(EOFError, ValueError):
    pass


def messages(fd):
    with os.fdopen(fd, "rb") as stream:
        data = io.BytesIO(stream.read())

    def exactly(count):
        piece = data.read(count)
        if len(piece) < count:
            raise Cut(f"{count - len(piece)} bytes are missing")
        return piece

    found = []
    while head := data.read(1):
        found.append(exactly(int.from_bytes(head + exactly(3), "big")))
    return tuple(found)
