"""Files, event descriptors and what epoll watches, against the programs themselves."""

from __future__ import annotations

import os
import select

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandboxes import like_docker
from subjects import held, one, picture, seen_by, subject

from labkit.kernel import files
from labkit.scene import Scene, WatchedFd
from labkit.xray import XRay


def test_a_regular_file_by_any_name(tmp_path):
    name = bytes(tmp_path) + b"/a b\n) \xff (deleted)"
    source = f"""
one = os.open({name!r}, os.O_CREAT | os.O_RDWR)
os.write(one, b"12345")
two = os.open({name!r}, os.O_RDONLY)
ready(one=one, two=two)
os.unlink({name!r})
ready()
"""
    with subject(source) as program:
        xray = XRay()
        scene = xray.look(program.pid)
        found = held(scene, program.pid, program.facts["one"])
        assert found is held(scene, program.pid, program.facts["two"])
        assert (found.kind, found.size, found.deleted) == ("file", 5, False)
        assert found.path == os.fsdecode(tmp_path) + "/a b\n) \\xff (deleted)"
        assert Scene.from_json(scene.to_json().encode()) == scene
        program.go()
        program.said()
        after = held(xray.look(program.pid), program.pid, program.facts["one"])
        assert (after.id, after.deleted, after.path) == (found.id, True, found.path)


def test_a_terminal_and_a_device():
    source = """
master, slave = os.openpty()
null = os.open("/dev/null", os.O_RDWR)
ready(slave=slave, null=null, name=os.ttyname(slave))
"""
    with subject(source) as program:
        scene = picture(program.pid)
        slave, null = (held(scene, program.pid, program.facts[name]) for name in ("slave", "null"))
        assert (slave.kind, slave.name) == ("terminal", program.facts["name"])
        assert (null.kind, null.name) == ("other", "/dev/null")


EVENTS = """
counter = os.eventfd(7, 0)
semaphore = os.eventfd(3, os.EFD_SEMAPHORE)
copy = os.dup(counter)
mask = (ctypes.c_ulong * 16)((1 << (signal.SIGUSR1 - 1)) | (1 << (signal.SIGRTMIN + 2)))
signals = libc.signalfd(-1, mask, 0)
idle = libc.timerfd_create(1, 0)
ticking = libc.timerfd_create(1, 0)
libc.timerfd_settime(ticking, 0, (ctypes.c_long * 4)(3600, 5, 7200, 0), None)
myself = os.pidfd_open(os.getpid())
a, b = socket.socketpair()
r, w = os.pipe()
epoll = select.epoll()
epoll.register(counter, select.EPOLLIN | select.EPOLLET)
epoll.register(a, select.EPOLLIN | select.EPOLLOUT | select.EPOLLONESHOT)
epoll.register(w, select.EPOLLOUT)
nested = select.epoll()
nested.register(epoll.fileno(), select.EPOLLIN)
"""
TELL = """
ready(counter=counter, semaphore=semaphore, copy=copy, signals=signals, idle=idle, ticking=ticking,
      myself=myself, a=a.fileno(), r=r, w=w, epoll=epoll.fileno(), nested=nested.fileno())
"""


def test_eventfd_signalfd_timerfd():
    with subject(EVENTS + TELL + "ready(count=os.eventfd_read(counter))") as program:
        xray = XRay()
        for _ in range(5):
            scene = xray.look(program.pid)
        found = {name: held(scene, program.pid, fd) for name, fd in program.facts.items()}
        assert (found["counter"].count, found["semaphore"].count) == (7, 3)
        assert "EFD_SEMAPHORE" in found["semaphore"].notes[0]
        assert found["copy"].id == found["counter"].id != found["semaphore"].id
        assert found["signals"].signals == ("SIGUSR1", "SIGRTMIN+3")
        idle, ticking = found["idle"], found["ticking"]
        assert (idle.ticks, idle.remaining_ns, idle.interval_ns) == (0, 0, 0)
        assert 3000 * 10**9 < ticking.remaining_ns < 7201 * 10**9
        assert ticking.interval_ns == 3600 * 10**9 + 5
        assert (found["myself"].name, found["myself"].notes) == (
            "pidfd",
            (f"stands for process {program.pid}",),
        )
        program.go()
        assert program.said() == {"count": 7}


def test_an_epoll_set_and_what_it_watches():
    with subject(EVENTS + TELL) as program:
        scene = picture(program.pid)
        found = {name: held(scene, program.pid, fd) for name, fd in program.facts.items()}
        fds = program.facts
        assert found["epoll"].watching == (
            WatchedFd(fds["counter"], "readable", found["counter"].id),
            WatchedFd(fds["a"], "readable writable", found["a"].id),
            WatchedFd(fds["w"], "writable", found["w"].id),
        )
        assert found["nested"].watching == (WatchedFd(fds["epoll"], "readable", found["epoll"].id),)
        notes = " ".join(found["epoll"].notes)
        assert f"fd {fds['counter']}: edge-triggered" in notes
        assert f"fd {fds['a']}: one-shot" in notes


def test_a_watched_descriptor_that_was_closed_but_lives_on_elsewhere():
    source = """
a, b = socket.socketpair()
epoll = select.epoll()
epoll.register(a, select.EPOLLIN)
number = a.fileno()
copy = os.dup(number)
a.close()
null = os.open("/dev/null", os.O_RDONLY)
assert null == number
ready(epoll=epoll.fileno(), copy=copy, number=number)
"""
    with subject(source) as program:
        scene = picture(program.pid)
        watched = held(scene, program.pid, program.facts["epoll"]).watching
        socket = held(scene, program.pid, program.facts["copy"])
        assert watched == (WatchedFd(program.facts["number"], "readable", socket.id),)


def test_a_watched_eventfd_that_was_closed_is_not_taken_for_another():
    source = """
counter = os.eventfd(7)
epoll = select.epoll()
epoll.register(counter, select.EPOLLIN)
copy = os.dup(counter)
os.close(counter)
timer = libc.timerfd_create(1, 0)
os.dup2(os.open("/dev/null", os.O_RDONLY), counter)
ready(epoll=epoll.fileno(), counter=counter)
"""
    with subject(source) as program:
        watched = held(picture(program.pid), program.pid, program.facts["epoll"]).watching
        assert watched == (WatchedFd(program.facts["counter"], "readable", None),)


def test_what_is_shared_by_fork_is_one_object_and_keeps_its_id():
    source = (
        EVENTS
        + "pid = child(lambda: (select.epoll(), signal.pause()))\n"
        + TELL.replace("ready(", "ready(child=pid, ")
        + "signal.setitimer\nos.kill(pid, signal.SIGKILL)\nready()"
    )
    with subject(source) as program:
        facts, xray = dict(program.facts), XRay()
        child = facts.pop("child")
        scene = picture(program.pid, "pause")
        for fd in facts.values():
            assert held(scene, program.pid, fd) is held(scene, child, fd)
        assert len([o for o in scene.objects if o.kind == "epoll"]) == 3
        assert len([o for o in scene.objects if o.kind == "timerfd"]) == 2
        before = {name: held(xray.look(program.pid), program.pid, fd).id for name, fd in facts.items()}
        program.go()
        program.said()
        after = {name: held(xray.look(program.pid), program.pid, fd).id for name, fd in facts.items()}
        assert after == before


def test_without_kcmp_eventfds_are_still_told_apart():
    with subject(EVENTS + TELL) as program:
        scene = seen_by(program.pid, preexec_fn=like_docker("kcmp", "pidfd_getfd"))
        found = {name: held(scene, program.pid, fd) for name, fd in program.facts.items()}
        assert found["copy"].id == found["counter"].id != found["semaphore"].id
        assert found["idle"].id != found["ticking"].id
        assert any("kcmp" in limit.because for limit in scene.limits)


def test_a_mapped_file_and_its_descriptor_are_one_object(tmp_path):
    source = f"""
fd = os.open({str(tmp_path / "x")!r}, os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 4096)
view = mmap.mmap(fd, 4096)
ready(fd=fd)
"""
    with subject(source) as program:
        scene = picture(program.pid)
        found = held(scene, program.pid, program.facts["fd"])
        assert one(scene, "file", path=found.path) is found
        assert [m.object for m in scene.process(program.pid).mappings] == [found.id]


# --- parsing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (select.EPOLLIN, "readable"),
        (select.EPOLLOUT | select.EPOLLHUP, "writable"),
        (select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR, "readable writable"),
        (select.EPOLLHUP, ""),
    ],
)
def test_events_in_words(events, words):
    assert files.event_words(events) == words


@given(st.lists(st.binary()))
def test_lines_of_any_kind_are_passed_over(lines):
    noise = [line for line in lines if b":" not in line]
    good = b"tfd:       11 events: 80000019 data:                b  pos:0 ino:40e sdev:10"
    assert [w.fd for w in files.parse_epoll([*noise, good])] == [11]
    found = files.parse_eventfd([*noise, b"eventfd-count:               1f", b"eventfd-id: 3"])
    assert found == files.Eventfd(31, 3, False)
    assert files.parse_timerfd(noise) is None
    assert files.parse_signalfd(noise) is None
