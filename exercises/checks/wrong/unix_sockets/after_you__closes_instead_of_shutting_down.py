# fails: both come to the end of their dialogue
# hears: Your code raised
import os
import socket


def dialogue(questions):
    mine, yours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        mine.close()
        host(yours.detach())
        os._exit(0)
    yours.close()
    heard = guest(mine.detach(), questions)
    os.wait()
    return heard


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
