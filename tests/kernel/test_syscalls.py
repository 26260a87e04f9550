"""Calls that Python does not have."""

from __future__ import annotations

import subprocess
import sys

IGNORES = """
import ctypes, os, signal, struct
from labkit.kernel import syscalls
from labkit.kernel.numbers import number
ignore = struct.pack("=QQQQ", 1, 0, 0, 0)
for which in (1, 13, 32, 33, 64):
    assert ctypes.CDLL(None).syscall(number("rt_sigaction"), which, ignore, None, 8) == 0
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
def masks():
    return [line.split()[1] for line in open("/proc/self/status") if line[:6] in ("SigBlk", "SigIgn")]
print(*masks(), flush=True)
syscalls.default_signals()
print(*masks())
"""


def test_a_new_program_ignores_and_blocks_nothing_not_even_what_the_c_library_keeps_for_itself() -> None:
    ran = subprocess.run([sys.executable, "-c", IGNORES], capture_output=True, text=True, check=True)
    before, after = ran.stdout.splitlines()
    ignored = sum(1 << which - 1 for which in (1, 13, 32, 33, 64))
    blocked, found = (int(word, 16) for word in before.split())
    assert blocked == 1 << 9
    assert found & ignored == ignored
    assert after == "0000000000000000 0000000000000000"
