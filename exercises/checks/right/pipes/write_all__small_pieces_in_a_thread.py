import os
import select
import threading


def write_all(fd, data):
    problems = []

    def work():
        rest = data
        with select.epoll() as epoll:
            epoll.register(fd, select.EPOLLOUT)
            while rest:
                epoll.poll(1)
                try:
                    rest = rest[os.writev(fd, [rest[:400], rest[400:1000]]) :]
                except BlockingIOError:
                    pass
                except BrokenPipeError as error:
                    problems.append(error)
                    return

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
