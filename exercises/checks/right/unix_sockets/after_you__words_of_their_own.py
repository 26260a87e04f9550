import socket

NO_MORE = b"\0no more"


def host(fd):
    with socket.socket(fileno=fd) as me:
        me.sendall(b"welcome")
        for question in iter(lambda: me.recv(1000), NO_MORE):
            me.sendall(question.upper())
        me.sendall(b"goodbye")


def guest(fd, questions):
    with socket.socket(fileno=fd) as me:
        heard = [me.recv(1000)]
        for word in [*questions, NO_MORE]:
            me.sendall(word)
            heard.append(me.recv(1000))
    return heard
