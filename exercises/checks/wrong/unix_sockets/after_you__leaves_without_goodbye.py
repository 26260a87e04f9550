# fails: both come to the end of their dialogue
# hears: the guest never heard b'goodbye'
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


def guest(fd, questions):
    with socket.socket(fileno=fd) as me:
        heard = [me.recv(1000)]
        for question in questions:
            me.send(question)
            heard.append(me.recv(1000))
    return heard
