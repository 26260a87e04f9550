"""A program that is hard to get rid of: it ignores signals, makes daemons, and makes one of everything."""

import itertools
import os
import signal
import socket
import time

import posix_ipc
import sysv_ipc

import labkit

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)

me = f"nasty{os.getpid()}"
folder = os.environ.get("NASTY_FOLDER")


def daemon(body):
    """Run `body` in a process that has left parent, session and group behind."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            body()
        os._exit(0)


def serve():
    while True:
        signal.sigtimedwait([], 10)


def wander():
    """Fork again and again, so that no pid is good for long."""
    while os.fork() == 0:
        time.sleep(0.005)
    os._exit(0)


kept = []
steps = [
    lambda: kept.append(sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)),
    lambda: kept.append(sysv_ipc.Semaphore(labkit.key("nasty"), sysv_ipc.IPC_CREX)),
    lambda: kept.append(sysv_ipc.MessageQueue(labkit.key("nasty"), sysv_ipc.IPC_CREX)),
    lambda: kept.append(posix_ipc.Semaphore(f"/{me}", posix_ipc.O_CREX)),
    lambda: kept.append(posix_ipc.SharedMemory(f"/{me}", posix_ipc.O_CREX, size=4096)),
    lambda: kept.append(posix_ipc.MessageQueue(f"/{me}", posix_ipc.O_CREX)),
    lambda: kept.append(posix_ipc.Semaphore(labkit.name("nasty"), posix_ipc.O_CREX)),
    lambda: os.mkfifo(labkit.path("fifo")),
    lambda: kept.append(socket.socket(socket.AF_UNIX)) or kept[-1].bind(labkit.path("socket")),
    lambda: kept.append(socket.socket(socket.AF_UNIX)) or (folder and kept[-1].bind(f"{folder}/{me}")),
    lambda: daemon(serve),
    lambda: daemon(wander),
    lambda: daemon(lambda: os.execve("/bin/sleep", ["sleep", "1000"], {})),
]
print("on", flush=True)
for step in itertools.chain(steps, itertools.repeat(lambda: None)):
    step()
    time.sleep(0.01)
