# fails: answers whoever speaks, while others are silent
# hears: The second of three clients sent a message, the first is silent, and nothing came back
import os
import select
import socket


def serve_all(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        present = [door.accept()[0] for _ in range(3)]
        ready, _, _ = select.select(present, [], [])
        while ready[0].recv(100) != b"STOP":
            ready[0].send(b"*")
    os.unlink(path)
