# fails: answers every message with a star
# hears: is a socket of another type than SOCK_SEQPACKET
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(path)
        door.listen()
        message = b""
        while message != b"STOP":
            table, _ = door.accept()
            while (message := table.recv(100)) not in (b"", b"STOP"):
                table.send(b"*")
            table.close()
    os.unlink(path)
