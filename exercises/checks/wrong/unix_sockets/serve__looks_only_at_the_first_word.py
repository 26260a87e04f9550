# fails: answers every message with a star
# hears: A client sent message 3, and the conversation was over
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        while not stopped_by_a_client(door):
            pass
    os.unlink(path)


def stopped_by_a_client(door):
    table, _ = door.accept()
    with table:
        try:
            while message := table.recv(100):
                if message.startswith(b"STOP"):
                    return True
                table.send(b"*")
        except (BrokenPipeError, ConnectionResetError):
            pass
    return False
