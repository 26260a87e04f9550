"""What /proc says, parsed: whatever a kernel can write, and whatever a program can call itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import Vanished
from labkit.kernel import proc
from labkit.kernel.procfiles import Files

comm = st.binary(min_size=0, max_size=15).filter(lambda name: b"\0" not in name)
number = st.integers(0, 2**63)


@given(comm, st.sampled_from("RSDTtZXI"), st.lists(number, min_size=49, max_size=49))
def test_a_stat_line_with_any_name(name: bytes, state: str, rest: list[int]) -> None:
    line = b"7 (%s) %s %s\n" % (name, state.encode(), b" ".join(b"%d" % n for n in rest))
    stat = proc.parse_stat(line)
    assert (stat.pid, stat.command, stat.state) == (7, name, state)
    assert (stat.ppid, stat.pgrp, stat.session) == tuple(rest[:3])
    assert (stat.threads, stat.start, stat.exit_code) == (rest[16], rest[18], rest[48])


def test_our_own_stat_line() -> None:
    stat = proc.read_stat(os.getpid())
    assert (stat.pid, stat.ppid, stat.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert stat.state == "R"
    assert not stat.kernel_thread


@given(st.binary(max_size=200))
def test_what_is_no_stat_line_is_a_value_error(line: bytes) -> None:
    try:
        proc.parse_stat(line)
    except ValueError:
        return
    assert b"(" in line


@given(st.binary(max_size=300))
def test_no_text_is_too_strange_for_fdinfo_status_and_children(text: bytes) -> None:
    info = proc.parse_fdinfo(text)
    assert info.offset is None or isinstance(info.offset, int)
    assert isinstance(info.more, tuple)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 65535), comm)
def test_status_masks_are_found_by_their_own_lines(blocked: int, caught: int, uid: int, name: bytes) -> None:
    """A program may call itself `SigBlk:`; the kernel escapes a newline in the name."""
    shown = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    text = b"Name:\t" + shown + b"\nTgid:\t12\nUid:\t0\t%d\t0\t0\nSigPnd:\t%016x\n" % (uid, 1)
    text += b"ShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\n" % (2, blocked, 0)
    status = proc.parse_status(text + b"SigCgt:\t%016x\n" % caught)
    assert (status.leader, status.uid) == (12, uid)
    assert (status.pending, status.blocked, status.ignored, status.caught) == (3, blocked, 0, caught)


def test_fdinfo() -> None:
    text = b"pos:\t12\nflags:\t02004001\nmnt_id:\t9\nino:\t77\neventfd-count:               3\nscm_fds: 0\n"
    info = proc.parse_fdinfo(text)
    assert info == proc.FdInfo(12, 0o2004001, 9, 77, (b"eventfd-count:               3", b"scm_fds: 0"))
    assert proc.parse_fdinfo(b"pos:\t0\nflags:\t02\nmnt_id:\t9\n").inode is None


def test_a_sleeping_call_and_what_is_none() -> None:
    line = b"0 0x3 0x7ffe 0x1 0x0 0x0 0x0 0x7ffd8a9b0c10 0x7f0a1b2c3d4e\n"
    assert proc.parse_syscall(line) == proc.Syscall(0, (3, 0x7FFE, 1, 0, 0, 0))
    assert proc.parse_syscall(b"running\n") is None
    assert proc.parse_syscall(b"-1 0x7ffd8a9b0c10 0x7f0a1b2c3d4e\n") is None
    assert proc.parse_syscall(b"") is None


def test_a_32_bit_program_s_call_is_not_taken_for_another() -> None:
    """Number 3 is `read` there, and `close` here."""
    assert proc.parse_syscall(b"3 0x0 0xffc 0x1 0x0 0x0 0x0 0xffd8a9b0 0xf7f0a1b2\n") is None


def test_maps_of_our_own(tmp_path: Path) -> None:
    found = proc.parse_maps(proc.read(b"/proc/self/maps", whole=True))
    lines = Path("/proc/self/maps").read_bytes().splitlines()
    assert abs(len(found) - len(lines)) < 5  # reading makes new ones
    assert any(map.path == b"[stack]" and map.prot == "rw-" and not map.shared for map in found)


def test_what_is_gone_is_vanished_and_what_is_refused_is_a_permission_error() -> None:
    with pytest.raises(Vanished):
        proc.read_stat(2**22 - 1)
    with pytest.raises(Vanished):
        proc.numbers_in(b"/proc/4194303/fd")
    assert isinstance(proc.translated(OSError(13, ""), b"x"), PermissionError)
    assert isinstance(proc.translated(OSError(3, ""), b"x"), Vanished)


def test_a_long_file_is_read_whole() -> None:
    text = proc.read(b"/proc/self/maps", whole=True)
    assert text.endswith(b"\n")
    assert len(text) > 4096


def test_children_are_those_we_made() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        assert pid in proc.parse_children(proc.read(b"/proc/thread-self/children"))
    finally:
        os.waitpid(pid, 0)


def test_a_schedule_changes_when_a_process_has_run() -> None:
    base = b"/proc/self/"
    before = proc.read_schedule(base)
    assert proc.schedule_file() in (b"schedstat", b"status")
    while proc.read_schedule(base) == before:
        os.sched_yield()


def test_files_kept_open_tell_what_is_so_now_and_never_of_a_successor() -> None:
    files = Files()
    read, write = os.pipe()
    path = b"/proc/self/fdinfo/%d" % read
    try:
        for _ in range(3):
            assert b"flags:\t02000000" in files.read(path)
        os.set_inheritable(read, True)
        assert b"flags:\t00\n" in files.read(path)
    finally:
        os.close(read)
        os.close(write)
    with pytest.raises(Vanished):
        files.read(path)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    mine = b"/proc/%d/stat" % pid
    for _ in range(3):
        files.read(mine)
    os.waitpid(pid, 0)
    with pytest.raises(Vanished):
        files.read(mine)
    files.close()


def test_files_kept_open_are_bounded_and_given_back() -> None:
    before = len(os.listdir("/proc/self/fd"))
    files = Files(most=3)
    for name in (b"stat", b"status", b"maps", b"cmdline", b"io"):
        for _ in range(3):
            files.read(b"/proc/self/" + name)
    assert len(os.listdir("/proc/self/fd")) == before + 3
    files.keep_only({b"/proc/1/"})
    assert len(os.listdir("/proc/self/fd")) == before


def test_numbers_in_namespaces_begin_with_ours() -> None:
    text = b"Name:\tx\nNSpid:\t4711\t12\t3\nNSpgid:\t4700\t1\t1\n"
    assert proc.parse_numbers(text, b"NSpid") == (4711, 12, 3)
    assert proc.parse_numbers(text, b"NSsid") == ()
    assert proc.parse_numbers(proc.read(b"/proc/self/status"), b"NSpgid")[0] == os.getpgrp()
