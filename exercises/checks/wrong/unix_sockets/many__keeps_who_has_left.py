# fails: does it with one thread, asleep while nobody speaks
# hears: While nobody spoke it kept trying
import os
import select
import socket


def serve_all(path):
    d = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    d.bind(path)
    d.listen()
    s = [d]
    while True:
        for x in select.select(s, [], [])[0]:
            if x is d:
                s.append(d.accept()[0])
                continue
            try:
                m = x.recv(100)
                if m == b"STOP":
                    os.unlink(path)
                    return
                if m:
                    x.send(b"*")
            except OSError:
                pass
