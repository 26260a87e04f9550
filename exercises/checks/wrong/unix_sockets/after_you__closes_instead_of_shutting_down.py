# fails: both come to the end of their dialogue
# hears: Your code raised
import socket


def host(fd):
    with socket.socket(fileno=fd) as me:
        me.send(b"welcome")
        while question := me.recv(1000):
            me.send(question.upper())
        me.send(b"goodbye")


def guest(fd, questions):
    me = socket.socket(fileno=fd)
    heard = [me.recv(1000)]
    for question in questions:
        me.send(question)
        heard.append(me.recv(1000))
    me.close()
    heard.append(me.recv(1000))
    return heard
