# fails: serves the clients in line, however they leave, until one says STOP
# hears: Your code raised BrokenPipeError
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        message = b""
        while message != b"STOP":
            table, _ = door.accept()
            with table:
                while (message := table.recv(100)) not in (b"", b"STOP"):
                    table.send(b"*")
    os.unlink(path)
