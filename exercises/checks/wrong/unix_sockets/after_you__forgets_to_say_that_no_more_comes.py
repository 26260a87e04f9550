# fails: both come to the end of their dialogue
# hears: They both read first
import socket


def host(fd):
    with socket.socket(fileno=fd) as me:
        me.send(b"welcome")
        while question := me.recv(1000):
            me.send(question.upper())
        me.send(b"goodbye")


def guest(fd, questions):
    with socket.socket(fileno=fd) as me:
        heard = [me.recv(1000)]
        for question in questions:
            me.send(question)
            heard.append(me.recv(1000))
        heard.append(me.recv(1000))
    return heard
