import os
import selectors
import socket


def serve_all(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen(1)
    waiting = selectors.DefaultSelector()
    waiting.register(door, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select(timeout=1):
            if key.fileobj is door:
                waiting.register(door.accept()[0], selectors.EVENT_READ)
                continue
            client = key.fileobj
            try:
                message = client.recv(1000)
                if message and message != b"STOP":
                    client.send(b"*")
            except OSError:
                message = b""
            if message == b"STOP":
                os.unlink(path)
                return
            if not message:
                waiting.unregister(client)
                client.close()
