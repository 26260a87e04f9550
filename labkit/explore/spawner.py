"""Starts a program over and over: `python -I -S spawner.py FD PATH ARGUMENT…`.

It is run by path and imports nothing of ours. For each request on the socket FD it forks, and the child
waits to be seized, goes under the filter and becomes the program. It is there because it is small: a fork
of the one who explores takes longer than all that a short program does.
"""

import _socket
import ctypes
import os
import signal
import struct
import sys

PR_SET_DUMPABLE = 4


def serve(socket, path, argv):
    """Fork for each request. No program of the same user may trace this process: it lives on, they end."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    code = socket.recv(65536)
    kept = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))
    filter_program = ctypes.create_string_buffer(header, len(header))
    while True:
        word, ancillary, _flags, _address = socket.recvmsg(1, 1024)
        if not word:
            os._exit(0)
        given = struct.unpack("4i", ancillary[0][2])
        if os.fork() == 0:
            become(libc, filter_program, socket, given, path, argv)
        for fd in given:
            os.close(fd)


def become(libc, filter_program, socket, given, path, argv):
    """In a child: wait to be seized, then become the program."""
    try:
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        socket.send(struct.pack("=i", os.getpid()))
        go, *streams = given
        os.setsid()
        os.read(go, 1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):  # those that are ignored here
            signal.signal(number, signal.SIG_DFL)
        for target, fd in enumerate(streams):
            os.dup2(fd, target)
        os.closerange(3, 1 << 20)
        libc.prctl(38, 1, 0, 0, 0)
        if libc.prctl(22, 2, filter_program, 0, 0) == 0:
            os.execve(path, argv, os.environ)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    serve(_socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
