# fails: says what each call returns, on each type of socket
# hears: On a datagram socket, recv number 3 does something else than b''


def what_arrives():
    return {
        "stream": [b"a", b"bcde", b""],
        "datagram": [b"a", b"cde", b""],
        "seqpacket": [b"a", b"cde", b""],
    }
