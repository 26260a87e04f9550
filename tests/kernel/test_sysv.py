"""System V objects in the picture, against `ipcs` and the programs themselves."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandboxes import ordinary_user
from subjects import one, picture, run, seen_by, subject, waiter

from labkit.kernel import sysv
from labkit.xray import XRay

needs_ipcs = pytest.mark.skipif(shutil.which("ipcs") is None, reason="ipcs is not installed")

CALLS = """
IPC_CREAT, IPC_EXCL, IPC_RMID, SETVAL = 0o1000, 0o2000, 0, 16
libc.shmat.restype = ctypes.c_void_p
libc.msgsnd.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
libc.msgrcv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int)
libc.shmdt.argtypes = (ctypes.c_void_p,)

def send(queue, type, text):
    assert libc.msgsnd(queue, struct.pack("q", type) + text, len(text), 0) == 0

def receive(queue, type=0):
    buffer = ctypes.create_string_buffer(9000)
    size = libc.msgrcv(queue, buffer, 8992, type, 0)
    return struct.unpack("q", buffer.raw[:8])[0], buffer.raw[8:8 + size].decode()

def operate(semid, *operations):
    return libc.semop(semid, b"".join(struct.pack("Hhh", *op) for op in operations), len(operations))
"""


def ipcs(kind: str, id: int) -> dict[str, str]:
    """The fields that `ipcs -m -i ID` prints."""
    words = run("ipcs", f"-{kind}", "-i", str(id)).replace("\t", "\n").split("\n")
    return dict(word.strip().split("=", 1) for word in words if "=" in word)


APART = (
    CALLS
    + """
def own_queue(text):
    assert libc.unshare(0x08000000) == 0
    queue = libc.msgget(0, 0o600)
    send(queue, 1, text)
    return queue
queue = own_queue(b"of the parent")
child(lambda: receive(own_queue(b"of the child"), 2))
ready(queue=queue)
"""
)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to make an IPC namespace")
def test_the_same_number_in_another_namespace_is_another_object():
    with subject(APART) as program:
        scene = picture(program.pid, "msgrcv")
        child = scene.processes[1]
        own = scene.object(child.blocked.object)
        (other,) = [o for o in scene.objects if o.kind == "sysv-msg" and o.id != own.id]
        assert own.msqid == other.msqid == program.facts["queue"]
        assert [m.head for m in own.messages] == [b"of the child"]
        assert [m.head for m in other.messages] == [b"of the parent"]
        assert scene.limits == ()


# --- shared memory ----------------------------------------------------------------------------------

SEGMENT = (
    CALLS
    + """
shmid = libc.shmget(0x7ab5, 5000, IPC_CREAT | IPC_EXCL | 0o640)
address = libc.shmat(shmid, None, 0)
ctypes.memmove(address, b"written by the program", 22)
pid = child(signal.pause)
ready(shmid=shmid, child=pid)
libc.shmctl(shmid, IPC_RMID, None)
ready()
"""
)


@needs_ipcs
def test_a_segment_is_as_ipcs_says_and_shows_its_bytes():
    with subject(SEGMENT) as program:
        scene = picture(program.pid, "pause")
        segment = one(scene, "sysv-shm")
        assert (segment.key, segment.shmid, segment.size) == (0x7AB5, program.facts["shmid"], 5000)
        assert (segment.mode, segment.attached, segment.destroyed) == (0o640, 2, False)
        assert segment.creator == program.pid
        assert segment.head[:22] == b"written by the program"
        seen = ipcs("m", segment.shmid)
        assert seen["nattch"] == str(segment.attached)
        assert (seen["cpid"], seen["lpid"]) == (str(segment.creator), str(segment.last))
        assert (seen["mode"], seen["bytes"]) == ("0640", str(segment.size))
        for pid in (program.pid, program.facts["child"]):
            mappings = scene.process(pid).mappings
            assert segment.id in [mapping.object for mapping in mappings if mapping.shared]
        program.go()
        program.said()
        gone = one(XRay().look(program.pid), "sysv-shm")
        assert (gone.destroyed, gone.attached, gone.shmid) == (True, 2, segment.shmid)


@needs_ipcs
def test_looking_changes_nothing_that_ipcs_shows():
    with subject(SEGMENT) as program:
        before = run("ipcs", "-m", "-i", str(program.facts["shmid"]))
        xray = XRay(all_objects=True)
        for _ in range(30):
            xray.look(program.pid)
        assert run("ipcs", "-m", "-i", str(program.facts["shmid"])) == before
        program.go()
        program.said()


def test_a_removed_segment_keeps_its_name_from_look_to_look():
    with subject(SEGMENT) as program:
        xray = XRay()
        before = one(xray.look(program.pid), "sysv-shm")
        program.go()
        program.said()
        after = one(xray.look(program.pid), "sysv-shm")
        assert (before.name, before.id) == (after.name, after.id) == ("key 0x7ab5", "sysv-shm-1")
        assert any("last process detaches" in note for note in after.notes)


def test_the_bytes_of_an_untouched_segment_are_unknown_not_zero():
    source = (
        CALLS
        + """
shmid = libc.shmget(0, 4096, IPC_CREAT | 0o600)
libc.shmat(shmid, None, 0)
ready()
libc.shmctl(shmid, IPC_RMID, None)
"""
    )
    with subject(source) as program:
        xray = XRay()
        first, second = (xray.look(program.pid) for _ in range(2))
        for scene in (first, second):
            assert one(scene, "sysv-shm").head is None
            (mapping,) = scene.process(program.pid).mappings
            assert mapping.pages == ((1, "absent"),), "our look itself brought the page in"


# --- semaphore sets ---------------------------------------------------------------------------------

SET = (
    CALLS
    + """
semid = libc.semget(0x5e70, 3, IPC_CREAT | IPC_EXCL | 0o600)
libc.semctl(semid, 1, SETVAL, 4)
libc.semctl(semid, 2, SETVAL, 1)
a = child(lambda: operate(semid, (0, -1, 0)))
b = child(lambda: operate(semid, (1, -2, 0), (2, 0, 0)))
ready(semid=semid, a=a, b=b)
libc.semctl(semid, 0, IPC_RMID)
"""
)


@needs_ipcs
def test_a_set_shows_values_waiters_and_last_pids():
    with subject(SET) as program:
        scene = picture(program.pid, "semop", "semop")
        found = one(scene, "sysv-sem")
        assert (found.key, found.semid, found.mode) == (0x5E70, program.facts["semid"], 0o600)
        assert found.values == (0, 4, 1)
        assert (found.waiting, found.waiting_zero) == ((1, 0, 0), (0, 0, 1))
        assert found.last == (0, program.pid, program.pid)
        rows = [line.split() for line in run("ipcs", "-s", "-i", str(found.semid)).splitlines()]
        table = [tuple(map(int, row)) for row in rows if len(row) == 5 and row[0].isdigit()]
        assert table == list(
            zip(range(3), found.values, found.waiting, found.waiting_zero, found.last, strict=True)
        )
        for pid, operations in ((program.facts["a"], ((0, -1),)), (program.facts["b"], ((1, -2), (2, 0)))):
            blocked = scene.process(pid).blocked
            assert (blocked.object, blocked.operations) == (found.id, operations)


def test_a_large_set_has_all_its_values():
    source = (
        CALLS
        + """
semid = libc.semget(0, 300, IPC_CREAT | 0o600)
libc.semctl(semid, 299, SETVAL, 7)
pid = child(lambda: operate(semid, (5, -1, 0)))
ready()
libc.semctl(semid, 0, IPC_RMID)
"""
    )
    with subject(source) as program:
        found = one(picture(program.pid, "semop"), "sysv-sem")
        assert found.values == (0,) * 299 + (7,)
        assert found.waiting is None or sum(found.waiting) == 1


# --- message queues ---------------------------------------------------------------------------------

QUEUE = (
    CALLS
    + """
msqid = libc.msgget(0x3e55, IPC_CREAT | IPC_EXCL | 0o600)
send(msqid, 3, b"hello")
send(msqid, 9, b"x" * 5000)
send(msqid, 1, b"")
pid = child(lambda: receive(msqid, 77))
ready(msqid=msqid, child=pid)
got = [receive(msqid), receive(msqid), receive(msqid)]
libc.msgctl(msqid, IPC_RMID, None)
ready(got=got)
"""
)


@needs_ipcs
def test_a_queue_shows_every_message_and_they_all_arrive():
    with subject(QUEUE) as program:
        before = run("ipcs", "-q", "-i", str(program.facts["msqid"]))
        scene = picture(program.pid, "msgrcv")
        queue = one(scene, "sysv-msg")
        assert (queue.key, queue.msqid, queue.mode) == (0x3E55, program.facts["msqid"], 0o600)
        assert [(m.type, m.size, m.head) for m in queue.messages] == [
            (3, 5, b"hello"),
            (9, 5000, b"x" * sysv.HEAD_BYTES),
            (1, 0, b""),
        ]
        assert queue.bytes == 5005
        assert waiter(scene, "msgrcv").blocked.object == queue.id
        seen = ipcs("q", queue.msqid)
        assert (seen["cbytes"], seen["qnum"], seen["qbytes"]) == ("5005", "3", str(queue.capacity))
        assert run("ipcs", "-q", "-i", str(queue.msqid)) == before
        program.go()
        assert program.said()["got"] == [[3, "hello"], [9, "x" * 5000], [1, ""]]


def test_a_long_queue_says_how_many_messages_are_behind_those_shown():
    source = (
        CALLS
        + """
msqid = libc.msgget(0, IPC_CREAT | 0o600)
for n in range(300):
    send(msqid, n + 1, b"")
ready()
libc.msgctl(msqid, IPC_RMID, None)
"""
    )
    with subject(source) as program:
        queue = one(picture(program.pid), "sysv-msg")
        assert [m.type for m in queue.messages] == list(range(1, sysv.MOST_MESSAGES + 1))
        assert queue.notes == (f"{300 - sysv.MOST_MESSAGES} more messages behind these",)


# --- what is in the picture -------------------------------------------------------------------------


def test_strangers_objects_are_not_in_the_picture_unless_asked_for():
    with subject(SET) as stranger, subject("ready()") as program:
        assert not [o for o in XRay().look(program.pid).objects if o.kind == "sysv-sem"]
        scene = XRay(all_objects=True).look(program.pid)
        assert stranger.facts["semid"] in [o.semid for o in scene.objects if o.kind == "sysv-sem"]


def test_in_a_room_all_objects_are_in_the_picture(monkeypatch):
    with subject(SET) as stranger, subject("ready()") as program:
        monkeypatch.setenv("LABKIT_OUTSIDE_IPC", "ipc:[1]")
        found = [o.semid for o in XRay().look(program.pid).objects if o.kind == "sysv-sem"]
        assert stranger.facts["semid"] in found
        left = [o.semid for o in XRay().look().objects if o.kind == "sysv-sem"]
        assert stranger.facts["semid"] in left, "also when no process is left to be in it"
        monkeypatch.setenv("LABKIT_OUTSIDE_IPC", os.readlink("/proc/self/ns/ipc"))
        assert not [o for o in XRay().look(program.pid).objects if o.kind == "sysv-sem"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters another namespace")
def test_objects_of_another_ipc_namespace():
    with subject(SET, before=["unshare", "--ipc"]) as program:
        scene = picture(program.pid, "semop", "semop")
        found = one(scene, "sysv-sem")
        assert (found.key, found.values) == (0x5E70, (0, 4, 1))
        assert not scene.limits


def test_what_may_not_be_read_is_none_with_a_reason(tmp_path):
    python, options = ordinary_user(tmp_path)
    source = (
        CALLS
        + """
msqid = libc.msgget(0x0b5c, IPC_CREAT | IPC_EXCL | 0o200)
send(msqid, 1, b"secret")
semid = libc.semget(0x0b5c, 1, IPC_CREAT | IPC_EXCL | 0o200)
pid = child(lambda: operate(semid, (0, -1, 0)))
ready()
libc.msgctl(msqid, IPC_RMID, None)
libc.semctl(semid, 0, IPC_RMID)
"""
    )
    with subject(source, python=python, **options) as program:
        picture(program.pid, "semop")
        scene = seen_by(program.pid, python, **options)
        queue, found = one(scene, "sysv-msg"), one(scene, "sysv-sem")
        assert (queue.bytes, queue.messages, queue.capacity) == (6, None, sysv.capacity(queue.msqid))
        assert (found.values, found.waiting, found.last) == (None, None, None)
        told = [limit for limit in scene.limits if "permissions" in limit.because]
        assert len(told) == 2, scene.limits


# --- parsing ----------------------------------------------------------------------------------------


def test_a_key_is_shown_as_ipcs_shows_it():
    text = b"head\n -1 7 1600 5000 1 2 3 0 0 0 0 1 2 3 4 5\n"
    (segment,) = sysv.parse_segments(text)
    assert (segment.key, segment.mode, segment.destroyed) == (0xFFFFFFFF, 0o600, True)


@given(st.integers(0, 2**31 - 1), st.integers(0, 0o777), st.integers(0, 30000))
def test_a_listing_of_sets_comes_back(semid, mode, count):
    text = f"head\n{'-5':>10} {semid:>10} {mode:>5o} {count:>10} 1 2 3 4 5 6\n".encode()
    (found,) = sysv.parse_semaphore_sets(text)
    assert found == sysv.SemaphoreSet(2**32 - 5, semid, mode, count, 1, 3)
