# fails: leaves nothing behind
# hears: It left the file `door`
import socket


def serve(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen()
        message = b""
        while message != b"STOP":
            table, _ = door.accept()
            with table:
                try:
                    while (message := table.recv(100)) not in (b"", b"STOP"):
                        table.send(b"*")
                except OSError:
                    pass
