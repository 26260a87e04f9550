# fails: says what each call returns, on each type of socket
# hears: On a datagram socket, recv number 2 does something else than b'b'


def what_arrives():
    return {
        "stream": [b"a", b"bcde", b""],
        "datagram": [b"a", b"b", b"cde"],
        "seqpacket": [b"a", b"b", b"cde"],
    }
