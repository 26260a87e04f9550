"""Each call is one call, and raises what the kernel says."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import struct

import pytest

from labkit.kernel import pipes, syscalls


def test_a_copied_descriptor_is_the_same_description() -> None:
    read, write = os.pipe()
    pidfd = syscalls.pidfd_open(os.getpid())
    copy = syscalls.pidfd_getfd(pidfd, write)
    try:
        assert copy != write
        assert not os.get_inheritable(copy)
        assert syscalls.kcmp(os.getpid(), os.getpid(), syscalls.KCMP_FILE, write, copy) == 0
        assert syscalls.kcmp(os.getpid(), os.getpid(), syscalls.KCMP_FILE, read, write) in (-1, 1)
    finally:
        for fd in (read, write, pidfd, copy):
            os.close(fd)


def test_kcmp_is_an_order() -> None:
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    me = os.getpid()
    try:
        for a in fds:
            for b in fds:
                order = syscalls.kcmp(me, me, syscalls.KCMP_FILE, a, b)
                assert order == -syscalls.kcmp(me, me, syscalls.KCMP_FILE, b, a)
                assert (order == 0) is (a == b)
    finally:
        for fd in fds:
            os.close(fd)


def test_errors_have_the_kernel_s_number_and_the_call_s_name() -> None:
    with pytest.raises(OSError, match="pidfd_open") as caught:
        syscalls.pidfd_open(2**22 - 1)
    assert caught.value.errno == errno.ESRCH
    with pytest.raises(OSError, match="kcmp") as caught:
        syscalls.kcmp(os.getpid(), os.getpid(), syscalls.KCMP_FILE, 999, 998)
    assert caught.value.errno == errno.EBADF


def test_memory_of_another_process_is_read() -> None:
    secret = ctypes.create_string_buffer(b"a secret")
    assert syscalls.process_vm_readv(os.getpid(), ctypes.addressof(secret), 8) == b"a secret"
    with pytest.raises(OSError, match="process_vm_readv"):
        syscalls.process_vm_readv(os.getpid(), 8, 8)


def test_a_signal_reaches_exactly_the_process_of_a_pidfd() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
    pidfd = syscalls.pidfd_open(pid)
    syscalls.pidfd_send_signal(pidfd, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        syscalls.pidfd_send_signal(pidfd, signal.SIGTERM)
    os.close(pidfd)


def test_time_limits_of_sockets() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not syscalls.socket_time_limit(one.fileno(), "receive")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 500_000))
        assert syscalls.socket_time_limit(one.fileno(), "receive")
        assert not syscalls.socket_time_limit(one.fileno(), "send")
    with pytest.raises(OSError, match="getsockopt"):
        syscalls.socket_time_limit(0, "receive")


def test_levels_and_bytes_of_a_pipe_are_read_and_not_taken() -> None:
    read, write = os.pipe()
    os.write(write, b"hello")
    with pipes.Scratch() as scratch:
        for _ in range(3):
            assert scratch.head(read) == b"hello"
            assert scratch.head(read, 2) == b"he"
    assert pipes.levels(write, writing=True) == (5, 65536, True, False, False)
    assert pipes.levels(read, writing=False).queued == 5
    assert os.read(read, 9) == b"hello"
    os.close(read)
    assert pipes.levels(write, writing=True).other_side_gone
    os.close(write)


def test_a_full_pipe_is_full_for_a_write_end() -> None:
    read, write = os.pipe()
    os.write(write, bytes(65536))
    assert pipes.levels(write, writing=True).full
    os.read(read, 4096)
    assert not pipes.levels(write, writing=True).full
    os.close(read)
    os.close(write)


def test_an_empty_pipe_has_no_first_bytes_and_a_scratch_leaves_nothing_open() -> None:
    read, write = os.pipe()
    before = os.listdir("/proc/self/fd")
    with pipes.Scratch() as scratch:
        assert scratch.head(read) == b""
    assert os.listdir("/proc/self/fd") == before
    os.close(read)
    os.close(write)
