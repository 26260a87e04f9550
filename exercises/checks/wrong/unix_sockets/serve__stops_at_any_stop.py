# fails: answers every message with a star
# hears: A client sent message 1, and the conversation was over
import os
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        while True:
            with door.accept()[0] as client:
                while message := client.recv(100):
                    if message.strip().upper() == b"STOP":
                        os.unlink(path)
                        return
                    client.send(b"*")
