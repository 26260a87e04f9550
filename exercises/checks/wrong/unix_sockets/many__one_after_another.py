# fails: answers whoever speaks, while others are silent
# hears: The third of three clients sent a message, the first is silent, and nothing came back
import os
import socket


def serve_all(path):
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
