# fails: answers every message with a star
# hears: A client said STOP, and `serve` went on
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        while True:
            table, _ = door.accept()
            with table:
                while table.recv(100) not in (b"", b"STOP"):
                    table.send(b"*")
    os.unlink(path)
