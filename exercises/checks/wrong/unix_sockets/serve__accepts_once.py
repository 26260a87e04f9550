# fails: serves the clients in line, however they leave, until one says STOP
# hears: the next sent a message, and the conversation was over
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        table, _ = door.accept()
        while table.recv(100) not in (b"", b"STOP"):
            table.send(b"*")
    os.unlink(path)
