# fails: answers every message with a star
# hears: A client sent message 2, and the conversation was over
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        message = b""
        while message != b"STOP":
            table, _ = door.accept()
            message = table.recv(100)
            if message != b"STOP":
                table.send(b"*")
            table.close()
    os.unlink(path)
