"""From a command to a process that stands at its beginning, under a filter."""

from __future__ import annotations

import os
import shutil

from labkit.conductor.outputs import Outputs
from labkit.errors import LabError
from labkit.kernel import ptrace, syscalls
from labkit.kernel.calls import CALLS, LOOKS
from labkit.kernel.numbers import AUDIT_ARCH, MACHINE
from labkit.programs import Command

FILTER = ptrace.filter_program({*CALLS, *LOOKS}) if MACHINE in AUDIT_ARCH else b""
"""What every program is put under: it stops before the calls that matter."""


def become(command: Command, path: str, go: int, given: int, outputs: Outputs, index: int) -> None:
    """In the child: wait to be seized, then become the program."""
    try:
        ptrace.die_with_parent()
        os.setsid()
        os.read(go, 1)
        os.dup2(given, 0)
        outputs.attach(index)
        os.closerange(3, 1 << 20)
        os.chdir(command.cwd or os.curdir)
        syscalls.default_signals()
        ptrace.fix_addresses()
        ptrace.install_filter(FILTER)
        os.execve(path, command.argv, dict(command.env) if command.env else os.environ)
    except OSError as error:
        os.write(2, f"{command.argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def find_program(command: Command) -> str:
    """The path of a command's program; a sentence when there is none."""
    path = (command.env or os.environ).get("PATH", os.defpath)
    name = command.argv[0]
    where = os.path.join(command.cwd or os.curdir, name) if os.sep in name else name
    found = shutil.which(where, path=path)
    if found is None:
        raise LabError(f"There is no program {name!r} that could be run here.")
    return os.path.abspath(found)


def check_proc() -> None:
    """Raise where processes cannot be led; a sentence that says why."""
    if os.path.realpath("/proc/self") != f"/proc/{os.getpid()}":
        raise LabError("The /proc here belongs to another PID namespace, so processes can't be followed.")
    if MACHINE not in AUDIT_ARCH:
        raise LabError(f"Films can be made on x86-64 and arm64, and this machine is {MACHINE}.")


def own_processor() -> int:
    """The processor that this process leads programs on: they, and all that starts them, belong there."""
    allowed = os.sched_getaffinity(0)
    room = os.stat("/proc/self/ns/pid").st_ino * 2654435761 >> 16  # in every room the pids are the same
    return sorted(allowed)[(os.getpid() + room) % len(allowed)]


def filled_pipe(text: str) -> int:
    """The end to read of a pipe that holds `text`, and ends after it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = text.encode()
    try:
        if os.write(writing, data) < len(data):
            raise BlockingIOError
    except BlockingIOError:
        os.close(reading)
        raise LabError("The input of a program may have 65,536 bytes at most here.") from None
    finally:
        os.close(writing)
    return reading
