# fails: does it with one thread, asleep while nobody speaks
# hears: It has 3 threads for 2 clients
import os
import socket
import threading


def serve_all(path):
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen()

    def serve(table):
        try:
            while message := table.recv(100):
                if message == b"STOP":
                    door.shutdown(socket.SHUT_RDWR)
                    return
                table.send(b"*")
        except OSError:
            pass
        finally:
            table.close()

    try:
        while True:
            table, _ = door.accept()
            threading.Thread(target=serve, args=(table,), daemon=True).start()
    except OSError:
        os.unlink(path)
