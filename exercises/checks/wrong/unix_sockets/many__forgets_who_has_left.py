# fails: answers whoever speaks, while others are silent
# hears: Your code raised BrokenPipeError
import os
import select
import socket


def serve_all(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen()
    present = [door]
    while True:
        for ready in select.select(present, [], [])[0]:
            if ready is door:
                present.append(door.accept()[0])
                continue
            message = ready.recv(100)
            if message == b"STOP":
                os.unlink(path)
                return
            ready.send(b"*")
