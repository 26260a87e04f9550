# fails: reads on until every writer has gone
# hears: It returned 2000 of 102000 bytes while a writer was still there
import os
import select


def read_to_end(r, w):
    os.close(w)
    data = b""
    while select.select([r], [], [], 0.2)[0]:
        piece = os.read(r, 65536)
        if not piece:
            break
        data += piece
    return data
