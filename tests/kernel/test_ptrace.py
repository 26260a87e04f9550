"""The filter and the stops, on real children."""

from __future__ import annotations

import os
import struct

import pytest

from labkit.kernel import ptrace
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE, NUMBERS, name_of, number

LOAD, EQUAL, BITS, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000


def judged(program: bytes, nr: int, arch: int, args: tuple[int, ...] = (0,) * 6) -> int:
    """What a filter says of a call: a BPF machine in ten lines."""
    data = struct.pack("=IIQ6Q", nr, arch, 0, *args)
    code = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        if operation == RETURN:
            return value
        if operation == LOAD:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == EQUAL:
            at += then if accumulator == value else otherwise
        elif operation == BITS:
            at += then if accumulator & value else otherwise


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_stops_before_the_calls_named_and_no_others(machine):
    named = {"read", "write", "semop", "futex", "mmap"}
    program = ptrace.filter_program(named, machine)
    for name, nr in NUMBERS[machine].items():
        if name != "mmap":
            assert judged(program, nr, AUDIT_ARCH[machine]) == (TRACE if name in named else ALLOW), name


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_of_mmap_only_what_shows_an_object_stops(machine):
    program, nr = ptrace.filter_program({"mmap"}, machine), NUMBERS[machine]["mmap"]
    arch = AUDIT_ARCH[machine]
    none = 2**64 - 1
    assert judged(program, nr, arch, (0, 4096, 3, 0x22, none, 0)) == ALLOW  # private, anonymous
    assert judged(program, nr, arch, (0, 4096, 3, 0x21, none, 0)) == TRACE  # shared, anonymous
    assert judged(program, nr, arch, (0, 4096, 3, 0x02, 3, 0)) == TRACE  # private, of a file


def test_another_architectures_numbers_stop_too():
    program = ptrace.filter_program({"read"}, "x86_64")
    assert judged(program, 12345, 0x40000003) == TRACE


def test_a_call_is_seen_before_it_happens_and_after():
    program = ptrace.filter_program({"pipe2", "exit_group"})
    go, come = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(go, 1)
        ptrace.install_filter(program)
        os.pipe()
        os._exit(5)
    ptrace.seize(pid)
    os.write(come, b"!")
    os.close(go)
    os.close(come)
    assert stopped(pid) >> 8 == ptrace.EVENT_SECCOMP << 8 | 5
    entry = ptrace.call_entry(pid)
    assert entry is not None
    assert (name_of(entry.number), entry.arch) == ("pipe2", AUDIT_ARCH[MACHINE])
    assert ptrace.call_result(pid) is None
    ptrace.resume_to_exit(pid)
    assert os.WSTOPSIG(stopped(pid)) == ptrace.SYSCALL_STOP
    assert ptrace.call_result(pid) == 0
    ptrace.resume(pid)
    assert stopped(pid) >> 16 == ptrace.EVENT_SECCOMP
    ptrace.resume(pid)
    assert stopped(pid) >> 16 == ptrace.EVENT_EXIT
    assert ptrace.event_message(pid) == 5 << 8
    ptrace.resume(pid)
    assert os.waitpid(pid, ptrace.WALL)[1] == 5 << 8


def stopped(pid: int) -> int:
    _, status = os.waitpid(pid, ptrace.WALL)
    assert os.WIFSTOPPED(status)
    return status


def test_the_dead_are_reported_as_gone():
    with pytest.raises(ProcessLookupError):
        ptrace.resume(2**22 - 1)


def test_every_traced_call_has_a_number_on_some_machine():
    from labkit.kernel.calls import CALLS

    assert [name for name in CALLS if not any(name in table for table in NUMBERS.values())] == []
    assert number("restart_syscall") is not None
