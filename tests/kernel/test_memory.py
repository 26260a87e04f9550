"""Shared memory and the pages of mappings, against the programs themselves and `lsfd`."""

from __future__ import annotations

import itertools
import mmap
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from subjects import held, one, picture, subject, until

from labkit.kernel import memory
from labkit.xray import XRay

PAGE = mmap.PAGESIZE

SHM = """
libc.shm_open.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_int)
name = b"/labkit-test-%d" % os.getpid()
fd = libc.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
os.ftruncate(fd, 3 * 4096)
"""


def mapping(scene, pid, object):
    """The only mapping of this object in this process."""
    (found,) = [m for m in scene.process(pid).mappings if m.object == object.id]
    return found


# --- what kind of memory ----------------------------------------------------------------------------


def test_shared_memory_open_mapped_and_unlinked():
    source = (
        SHM
        + """
view = mmap.mmap(fd, 3 * 4096)
view[:5] = b"hello"
pid = child(signal.pause)
ready(fd=fd, child=pid)
libc.shm_unlink(name)
ready()
os.close(fd)
ready()
"""
    )
    with subject(source) as program:
        xray = XRay()
        first = xray.look(program.pid)
        memory = held(first, program.pid, program.facts["fd"])
        assert (memory.kind, memory.name) == ("posix-shm", f"/labkit-test-{program.pid}")
        assert (memory.size, memory.unlinked, memory.seals) == (3 * PAGE, False, None)
        assert memory.head[:6] == b"hello\0"
        for pid in (program.pid, program.facts["child"]):
            assert mapping(first, pid, memory).shared
        program.go()
        program.said()
        second = held(xray.look(program.pid), program.pid, program.facts["fd"])
        assert (second.id, second.name, second.unlinked) == (memory.id, memory.name, True)
        program.go()
        program.said()
        third = one(xray.look(program.pid), "posix-shm")
        assert (third.id, third.unlinked, third.head[:5]) == (memory.id, True, b"hello")


def test_looking_moves_no_offset_and_no_times():
    source = (
        SHM
        + """
os.write(fd, b"hello")
def times():
    found = os.fstat(fd)
    return [os.lseek(fd, 0, os.SEEK_CUR), found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns]
before = times()
ready(fd=fd)
ready(before=before, after=times())
libc.shm_unlink(name)
"""
    )
    with subject(source) as program:
        xray = XRay()
        for _ in range(10):
            scene = xray.look(program.pid)
        assert held(scene, program.pid, program.facts["fd"]).head[:5] == b"hello"
        program.go()
        times = program.said()
        assert times["before"] == times["after"]


def test_a_memfd_has_its_name_its_seals_and_its_bytes():
    source = """
fd = libc.memfd_create(b"a \\nname\\xff (deleted)", 2)
os.ftruncate(fd, 8192)
os.pwrite(fd, b"sealed", 0)
fcntl.fcntl(fd, 1033, 2 | 4)
plain = libc.memfd_create(b"plain", 0)
ready(fd=fd, plain=plain)
"""
    with subject(source) as program:
        scene = picture(program.pid)
        sealed, plain = (held(scene, program.pid, fd) for fd in program.facts.values())
        assert (sealed.kind, sealed.name) == ("memfd", "a \nname\\xff (deleted)")
        assert (sealed.size, sealed.seals) == (8192, ("F_SEAL_SHRINK", "F_SEAL_GROW"))
        assert sealed.head[:7] == b"sealed\0"
        assert (plain.size, plain.seals, plain.head) == (0, ("F_SEAL_SEAL",), b"")
        assert scene.to_json().encode()


def test_anonymous_shared_memory_is_one_object_in_parent_and_child():
    source = """
first = mmap.mmap(-1, 2 * 4096)
second = mmap.mmap(-1, 4096)
first[:5] = b"hello"
pid = child(lambda: (first[0], signal.pause()))
ready(child=pid)
"""
    with subject(source) as program:
        scene = picture(program.pid, "pause")
        parent, child = (scene.process(pid) for pid in (program.pid, program.facts["child"]))
        assert len({m.object for m in parent.mappings if m.shared}) == 2
        assert {m.object for m in parent.mappings} == {m.object for m in child.mappings}
        found = one(scene, "posix-shm", size=2 * PAGE)
        assert found.head[:5] == b"hello"
        assert found.unlinked is True
        assert mapping(scene, child.pid, found).pages == ((1, "shared"), (1, "absent"))
        assert "MAP_ANONYMOUS" in found.notes[0]


def test_the_same_memory_mapped_twice_with_different_rights():
    source = (
        SHM
        + """
writing = mmap.mmap(fd, 4096, offset=4096)
reading = mmap.mmap(fd, 8192, prot=mmap.PROT_READ)
libc.shm_unlink(name)
ready(fd=fd)
"""
    )
    with subject(source) as program:
        scene = picture(program.pid)
        found = held(scene, program.pid, program.facts["fd"])
        rights = {(m.prot, m.offset, m.size) for m in scene.process(program.pid).mappings}
        assert rights == {("rw-", 4096, 4096), ("r--", 0, 8192)}
        assert found.unlinked is True


def test_libraries_and_program_text_are_not_in_the_picture():
    with subject("ready()") as program:
        assert picture(program.pid).process(program.pid).mappings == ()


# --- pages ------------------------------------------------------------------------------------------

PRIVATE = """
with open("/proc/self/exe", "rb"):
    pass
fd = os.open(sys.argv[1] if len(sys.argv) > 1 else PATH, os.O_RDWR)
view = mmap.mmap(fd, 4 * 4096, mmap.MAP_PRIVATE)
libc.madvise(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(view))), 4 * 4096, 1)
"""


def private_of(path: object) -> str:
    return f"PATH = {str(path)!r}\n" + PRIVATE


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data file"
    path.write_bytes(b"0" * 4 * PAGE)
    return path


def pages_of(scene, pid):
    """Each page of the only private mapping, one by one."""
    (found,) = [m for m in scene.process(pid).mappings if not m.shared]
    return [kind for count, kind in found.pages for _ in range(count)]


def test_a_page_becomes_a_private_copy_when_it_is_written(data):
    source = private_of(data) + "view[0]\nview[4096] = 1\nready(fd=fd)\nview[0] = 2\nready()"
    with subject(source) as program:
        scene = picture(program.pid)
        assert pages_of(scene, program.pid)[:2] == ["shared", "private"]
        file = held(scene, program.pid, program.facts["fd"])
        assert (file.kind, file.size, file.path) == ("file", 4 * PAGE, str(data))
        assert mapping(scene, program.pid, file).shared is False
        program.go()
        program.said()
        assert pages_of(picture(program.pid), program.pid)[:2] == ["private", "private"]


def test_after_fork_a_copy_is_shared_until_one_of_them_writes(data):
    source = (
        private_of(data)
        + """
view[0] = 1
view[4096] = 1
def write_one():
    view[4096] = 2
    signal.pause()
pid = child(write_one)
view[0]
ready(child=pid)
"""
    )
    with subject(source) as program:
        scene = picture(program.pid, "pause")
        assert pages_of(scene, program.pid)[:2] == ["shared", "private"]
        assert pages_of(scene, program.facts["child"])[:2] == ["shared", "private"]


def test_an_untouched_page_is_absent_and_stays_absent_under_our_eyes():
    source = (
        SHM
        + """
view = mmap.mmap(fd, 3 * 4096)
libc.shm_unlink(name)
view[4096] = 1
ready()
"""
    )
    with subject(source) as program:
        xray = XRay()
        for _ in range(3):
            (found,) = xray.look(program.pid).process(program.pid).mappings
            assert found.pages == ((1, "absent"), (1, "shared"), (1, "absent"))


def test_memory_that_only_looks_private_is_shared_when_the_mapping_is_shared():
    lone = memory.PRESENT | memory.FILE | memory.EXCLUSIVE
    assert memory.page_kind(lone, shared=True) == "shared"
    assert memory.page_kind(lone, shared=False) == "shared"
    assert memory.page_kind(memory.PRESENT | memory.EXCLUSIVE, shared=False) == "private"
    assert memory.page_kind(memory.PRESENT, shared=False) == "shared"
    assert memory.page_kind(memory.SWAPPED, shared=False) == "private"
    assert memory.page_kind(memory.SWAPPED, shared=True) == "absent"


@given(st.lists(st.sampled_from(["absent", "shared", "private"])))
def test_runs_say_the_same_as_the_pages_one_by_one(kinds):
    bits = {
        "absent": 0,
        "shared": memory.PRESENT | memory.FILE,
        "private": memory.PRESENT | memory.EXCLUSIVE,
    }
    data = b"".join(struct.pack("Q", bits[kind] | number) for number, kind in enumerate(kinds))
    runs = memory.parse_pagemap(data, shared=False)
    assert [kind for count, kind in runs for _ in range(count)] == kinds
    assert all(one[1] != other[1] for one, other in itertools.pairwise(runs))


# --- files that are only mapped ---------------------------------------------------------------------


def test_a_mapped_file_whose_descriptor_is_closed_is_still_that_file(data):
    source = private_of(data) + "view[0]\nos.close(fd)\nready()\nos.unlink(PATH)\nready()"
    with subject(source) as program:
        xray = XRay()
        before = one(xray.look(program.pid), "file", path=str(data))
        assert (before.size, before.deleted) == (4 * PAGE, False)
        program.go()
        program.said()
        after = one(xray.look(program.pid), "file", path=str(data))
        assert (after.id, after.deleted) == (before.id, True)


def main_has_ended(process):
    return [thread.state for thread in process.threads if thread.tid == process.pid] == ["zombie"]


def test_mappings_of_a_process_whose_first_thread_has_ended():
    source = """
view = mmap.mmap(-1, 4096)
view[:4] = b"here"
def main_ends():
    threading.Thread(target=signal.pause).start()
    libc.syscall(60, 0)
pid = child(main_ends)
ready(child=pid)
"""
    if os.uname().machine != "x86_64":
        source = source.replace("syscall(60", "syscall(93")
    with subject(source) as program:
        child, xray = program.facts["child"], XRay()
        scene = until(lambda: xray.look(program.pid), lambda scene: len(scene.process(child).threads) > 1)
        scene = until(lambda: xray.look(program.pid), lambda scene: main_has_ended(scene.process(child)))
        found = one(scene, "posix-shm")
        assert mapping(scene, program.pid, found)
        assert mapping(scene, child, found)


@given(st.binary())
def test_any_line_of_maps_is_passed_over_or_parsed(name):
    path = b"/tmp/" + name.replace(b"\\", b"/")
    line = b"7f0000000000-7f0000002000 r--s 00001000 fd:01 77                         " + path.replace(
        b"\n", b"\\012"
    )
    code = b"7f0000004000-7f0000006000 r-xp 00000000 fd:01 78                         /tmp/lib\n"
    found = memory.parse_shown(code + line + b"\n" + code.replace(b"r-x", b"r--"))
    assert [m.path for m in found] == [path] or path.startswith(b"/tmp/lib")
    assert all((m.start, m.offset, m.shared, m.inode) == (0x7F0000000000, 4096, True, 77) for m in found)
