"""POSIX semaphores and message queues, against the programs themselves."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from subjects import held, one, picture, subject, waiter

from labkit.kernel import posix
from labkit.kernel.memory import present
from labkit.xray import XRay

SEM = """
libc.sem_open.restype = ctypes.c_void_p
for call in (libc.sem_wait, libc.sem_post, libc.sem_unlink, libc.sem_init):
    call.argtypes = (ctypes.c_void_p,) + ((ctypes.c_int, ctypes.c_uint) if call is libc.sem_init else ())
name = b"/labkit-test-%d" % os.getpid()
def opened(value=0):
    return libc.sem_open(name, os.O_CREAT, 0o600, value)
"""

MQ = """
sys.path[:0] = PATHS
import posix_ipc
name = "/labkit-test-%d" % os.getpid()
queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=5, max_message_size=100)
"""


def with_paths(source: str) -> str:
    import sysconfig

    return f"PATHS = [{sysconfig.get_path('platlib')!r}]\n" + source


# --- named semaphores -------------------------------------------------------------------------------


def test_a_named_semaphore_keeps_its_name_value_and_waiters():
    source = (
        SEM
        + """
sem = opened(2)
child(lambda: libc.sem_wait(sem) or libc.sem_wait(sem) or libc.sem_wait(sem))
ready()
libc.sem_unlink(name)
ready()
"""
    )
    with subject(source) as program:
        xray = XRay()
        scene = picture(program.pid, "futex", xray=xray)
        found = one(scene, "posix-sem")
        assert (found.name, found.unlinked) == (f"/labkit-test-{program.pid}", False)
        assert (found.value, found.waiting) == (0, 1)
        assert waiter(scene, "futex").blocked.object == found.id
        assert found.id in [m.object for m in scene.process(program.pid).mappings]
        program.go()
        program.said()
        after = one(xray.look(program.pid), "posix-sem")
        assert (after.id, after.name, after.unlinked) == (found.id, found.name, True)
        assert not found.notes
        assert "it goes when the last process closes it" in after.notes[0]


def test_a_semaphore_unlinked_before_the_first_look_is_known_once_it_was_used():
    source = (
        SEM
        + """
sem = opened(7)
libc.sem_unlink(name)
ready()
libc.sem_post(sem)
ready()
"""
    )
    with subject(source) as program:
        xray = XRay()
        found = one(xray.look(program.pid), "posix-sem")
        assert (found.value, found.waiting, found.unlinked) == (None, None, True)
        assert "has used it" in found.notes[0]
        program.go()
        program.said()
        found = one(xray.look(program.pid), "posix-sem")
        assert (found.value, found.waiting, found.unlinked) == (8, 0, True)


def test_a_semaphore_that_was_opened_by_name_and_not_made():
    source = (
        SEM
        + "opened(3)\npid = child(lambda: (opened(), signal.pause()))\n"
        + "ready(child=pid)\nlibc.sem_unlink(name)"
    )
    with subject(source) as program:
        scene = picture(program.facts["child"], "pause")
        assert {o.name for o in scene.objects if o.kind == "posix-sem"} == {f"/labkit-test-{program.pid}"}
        assert [o.value for o in scene.objects if o.kind == "posix-sem"] == [3]


# --- unnamed semaphores -----------------------------------------------------------------------------

UNNAMED = (
    SEM
    + """
memory = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
libc.sem_init(address + 64, {shared}, 0)
"""
)


def test_an_unnamed_semaphore_in_shared_memory_is_found_by_its_waiter():
    source = (
        UNNAMED.format(shared=1)
        + "child(lambda: libc.sem_wait(address + 64))\nready()\nlibc.sem_post(address + 64)"
    )
    with subject(source) as program:
        scene = picture(program.pid, "futex")
        found = one(scene, "posix-sem")
        assert (found.value, found.waiting) == (0, 1)
        assert found.name == f"semaphore in {one(scene, 'posix-shm').id} at byte 64"
        assert waiter(scene, "futex").blocked.object == found.id


def test_a_futex_in_shared_memory_that_is_no_semaphore_is_the_memory():
    futex = {"x86_64": 202}.get(os.uname().machine, 98)
    source = f"""
memory = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
child(lambda: libc.syscall({futex}, ctypes.c_void_p(address + 128), 0, 0, None))
ready()
"""
    with subject(source) as program:
        scene = picture(program.pid, "futex")
        assert waiter(scene, "futex").blocked.object == one(scene, "posix-shm").id
        assert not [o for o in scene.objects if o.kind == "posix-sem"]


def test_a_futex_at_the_end_of_a_page_does_not_bring_the_next_one():
    futex = {"x86_64": 202}.get(os.uname().machine, 98)
    source = f"""
memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + mmap.PAGESIZE - 4
child(lambda: libc.syscall({futex}, ctypes.c_void_p(address), {9 | 256}, 0, None, None, -1))
ready(next=address + 4)
"""
    with subject(source) as program:
        scene = picture(program.pid, "futex")
        sleeper = waiter(scene, "futex")
        assert sleeper.blocked.object == one(scene, "posix-shm").id
        assert not present(sleeper.pid, program.facts["next"])


def test_a_futex_in_its_own_memory_has_no_object():
    source = (
        SEM
        + """
own = ctypes.create_string_buffer(64)
address = ctypes.addressof(own)
libc.sem_init(address, 0, 0)
child(lambda: libc.sem_wait(address))
ready()
"""
    )
    with subject(source) as program:
        scene = picture(program.pid, "futex")
        assert waiter(scene, "futex").blocked.object is None


# --- message queues ---------------------------------------------------------------------------------


def test_a_message_queue_shows_how_full_it_is_and_keeps_its_messages():
    source = with_paths(
        MQ
        + """
queue.send(b"one")
queue.send(b"three", priority=3)
ready(fd=queue.mqd)
queue.unlink()
ready(got=[queue.receive()[0].decode(), queue.receive()[0].decode()])
"""
    )
    with subject(source) as program:
        xray = XRay()
        for _ in range(10):
            scene = xray.look(program.pid)
        found = held(scene, program.pid, program.facts["fd"])
        assert (found.kind, found.name) == ("posix-mq", f"/labkit-test-{program.pid}")
        assert (found.queued, found.capacity, found.bytes) == (2, 5, 8)
        program.go()
        assert program.said()["got"] == ["three", "one"]
        after = held(xray.look(program.pid), program.pid, program.facts["fd"])
        assert (after.id, after.name, after.queued) == (found.id, found.name, 0)
        assert any("unlinked" in note for note in after.notes)


def test_a_blocked_receiver_waits_on_its_queue():
    source = with_paths(MQ + "queue.unlink()\nchild(lambda: queue.receive())\nready()")
    with subject(source) as program:
        scene = picture(program.pid, "mq_receive")
        found = one(scene, "posix-mq")
        assert (found.queued, found.bytes) == (0, 0)
        assert waiter(scene, "mq_receive").blocked.object == found.id


def test_a_queue_open_for_writing_only_does_not_tell_its_bytes():
    source = with_paths(
        MQ
        + """
queue.send(b"one")
writer = posix_ipc.MessageQueue(name, write=True, read=False)
queue.close()
writer.unlink()
ready(fd=writer.mqd)
"""
    )
    with subject(source) as program:
        found = held(picture(program.pid), program.pid, program.facts["fd"])
        assert (found.queued, found.bytes) == (1, None)


# --- parsing ----------------------------------------------------------------------------------------


@given(st.binary(max_size=40))
def test_no_memory_is_mistaken_for_a_waited_semaphore_unless_it_is_one(data):
    call = posix.FUTEX_WAIT_BITSET | posix.FUTEX_CLOCK_REALTIME
    found = posix.sem_waited_on(call, 0, data)
    if found is not None:
        word, private = struct.unpack_from("=Qi", data)
        assert (word >> 32 > 0, private) == (True, posix.FUTEX_PRIVATE_FLAG)
    assert posix.sem_waited_on(0, 0, data) is None
    assert posix.sem_waited_on(call, 2, data) is None


@pytest.mark.parametrize(
    ("text", "size", "pid"),
    [
        (b"QSIZE:129        NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", 129, None),
        (b"QSIZE:0          NOTIFY:0     SIGNO:10    NOTIFY_PID:4711  \n", 0, 4711),
    ],
)
def test_the_status_of_a_queue(text, size, pid):
    assert posix.parse_queue_status(text) == posix.QueueStatus(size, pid)
