# fails: says what each call returns, on each type of socket
# hears: On a stream socket, recv number 2 does something else than b'b'


def what_arrives():
    return {
        "stream": [b"a", b"b", b"cde"],
        "datagram": [b"a", b"cde", "waits"],
        "seqpacket": [b"a", b"cde", b""],
    }
