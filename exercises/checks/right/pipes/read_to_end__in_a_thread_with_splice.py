import os
import threading


def read_to_end(r, w):
    os.close(w)
    memory = os.memfd_create("all")

    def work():
        while os.splice(r, memory, 65536):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with open(memory, "rb") as file:
        file.seek(0)
        return file.read()
