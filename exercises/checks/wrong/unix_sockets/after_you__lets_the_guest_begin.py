# fails: the host says welcome before anybody has asked
# hears: Nobody had said anything yet, and nothing came back: `host` sleeps in
import socket


def host(fd):
    with socket.socket(fileno=fd) as me:
        me.recv(1000)
        me.send(b"welcome")
        while question := me.recv(1000):
            me.send(question.upper())
        me.send(b"goodbye")


def guest(fd, questions):
    with socket.socket(fileno=fd) as me:
        me.send(b"hello")
        heard = [me.recv(1000)]
        for question in questions:
            me.send(question)
            heard.append(me.recv(1000))
        me.shutdown(socket.SHUT_WR)
        heard.append(me.recv(1000))
    return heard
