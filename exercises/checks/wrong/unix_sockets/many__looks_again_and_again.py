# fails: does it with one thread, asleep while nobody speaks
# hears: While nobody spoke it slept in `clock_nanosleep`
import os
import socket
import time


def serve_all(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen()
    door.setblocking(False)
    present = []
    while True:
        try:
            table, _ = door.accept()
            table.setblocking(False)
            present.append(table)
        except BlockingIOError:
            pass
        for table in list(present):
            try:
                message = table.recv(100)
                if message == b"STOP":
                    os.unlink(path)
                    return
                if message:
                    table.send(b"*")
            except BlockingIOError:
                continue
            except OSError:
                message = b""
            if not message:
                present.remove(table)
        time.sleep(0.01)
