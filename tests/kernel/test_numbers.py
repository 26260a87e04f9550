"""The table of call numbers against the kernel's own headers and a real call."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

import pytest

from labkit.kernel.numbers import AUDIT_ARCH, NUMBERS, name_of, number

X86_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC_HEADER = Path("/usr/include/asm-generic/unistd.h")
ARM64_WANTS = ["RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "SYS_CLONE3", "MEMFD_SECRET"]


@pytest.mark.skipif(not X86_HEADER.exists(), reason="the kernel's x86-64 header is not installed")
def test_x86_64_numbers_are_those_of_the_kernel_header():
    header = {m[1]: int(m[2]) for m in re.finditer(r"__NR_(\w+)\s+(\d+)", X86_HEADER.read_text())}
    assert len(header) > 300
    assert {name: NUMBERS["x86_64"].get(name) for name in header} == header


@pytest.mark.skipif(not GENERIC_HEADER.exists(), reason="the kernel's generic header is not installed")
def test_aarch64_numbers_are_those_of_the_generic_header():
    wants = "".join(f"#define __ARCH_WANT_{want}\n" for want in ARM64_WANTS)
    source = f"{wants}#include <asm-generic/unistd.h>\n"
    defines = _preprocess(source, "-dM")
    names = set(re.findall(r"__NR_(\w+)", defines)) - {
        "syscalls",
        "arch_specific_syscall",
    }
    asked = source + "".join(f"@ {name} __NR_{name}\n" for name in sorted(names))
    values = dict(re.findall(r"^@ (\w+) (\d+)$", _preprocess(asked, "-P"), re.MULTILINE))
    assert len(values) > 280
    assert {name: NUMBERS["aarch64"].get(name) for name in values} == {n: int(v) for n, v in values.items()}


def test_this_machines_getpid_number_calls_getpid():
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(number("getpid")) == os.getpid()


def test_calls_that_arm64_has_not_are_none_there():
    assert number("pipe", "aarch64") is None
    assert number("pipe2", "aarch64") == 59
    assert number("no such call") is None


def test_names_and_numbers_are_inverse_on_both_machines():
    for machine, table in NUMBERS.items():
        assert machine in AUDIT_ARCH
        assert {name_of(nr, machine): nr for nr in table.values()} == table
    assert name_of(99999) == "syscall_99999"


def _preprocess(source: str, option: str) -> str:
    command = ["gcc", "-E", option, "-x", "c", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
