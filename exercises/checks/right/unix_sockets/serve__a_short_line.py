import contextlib
import os
import socket


def messages(client):
    with contextlib.suppress(ConnectionResetError):
        while message := os.read(client.fileno(), 100):
            yield message


def serve(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.chdir(os.path.dirname(os.path.abspath(path)))
    door.bind(os.path.basename(path))
    door.listen(0)
    try:
        while True:
            client, _ = door.accept()
            for message in messages(client):
                if message == b"STOP":
                    client.close()
                    return
                with contextlib.suppress(BrokenPipeError):
                    client.sendall(b"*")
            client.close()
    finally:
        door.close()
        os.unlink(path)
