"""File locks in the picture, against `/proc/locks` and the programs themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from subjects import held, one, picture, subject, waiter

from labkit.kernel import locks
from labkit.xray import XRay


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "locked"
    place.write_bytes(b"0" * 100)
    return place


def with_path(path: Path, source: str) -> str:
    return f"PATH = {str(path)!r}\nOFD_SETLKW = 38\n" + source


OFD = """
def ofd_lock(fd, start, length, wait=True):
    wanted = struct.pack("hhqqi", fcntl.F_WRLCK, 0, start, length, 0)
    fcntl.fcntl(fd, 38 if wait else 37, wanted)
"""


def test_a_flock_its_holder_and_who_waits(path):
    source = (
        with_path(
            path,
            """
def wait():
    fcntl.flock(os.open(PATH, os.O_RDWR), fcntl.LOCK_EX)
pid = child(wait)
other = os.open(PATH, os.O_RDWR)
fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB) if sys.stdin.readline() else None
ready(child=pid)
""",
        )
        .replace("pid = child(wait)\n", "")
        .replace("ready(child", "pid = child(wait)\nready(fd=other, child")
    )
    source = source.replace(" if sys.stdin.readline() else None", "")
    with subject(source) as program:
        scene = picture(program.pid, "flock")
        lock = one(scene, "lock")
        file = held(scene, program.pid, program.facts["fd"])
        assert (lock.type, lock.mode, lock.file) == ("flock", "write", file.id)
        assert program.pid in lock.holders
        assert lock.waiting == (program.facts["child"],)
        assert waiter(scene, "flock").blocked.object == lock.id
        text = Path("/proc/locks").read_text()
        assert f"-> FLOCK  ADVISORY  WRITE {program.facts['child']} " in text


def test_the_holders_of_a_flock_are_those_who_have_its_description(path):
    source = with_path(
        path,
        """
fd = os.open(PATH, os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_SH)
pid = child(signal.pause)
ready(child=pid)
os.close(fd)
ready()
""",
    )
    with subject(source) as program:
        xray = XRay()
        both = tuple(sorted((program.pid, program.facts["child"])))
        lock = one(xray.look(program.pid), "lock")
        assert (lock.mode, lock.holders, lock.waiting) == ("read", both, ())
        program.go()
        program.said()
        after = one(xray.look(program.pid), "lock")
        assert (after.id, after.holders) == (lock.id, (program.facts["child"],))


def test_two_who_share_a_read_lock_hold_one_object(path):
    source = with_path(
        path,
        """
def share():
    fcntl.flock(os.open(PATH, os.O_RDWR), fcntl.LOCK_SH)
    signal.pause()
a, b = child(share), child(share)
def want():
    fcntl.flock(os.open(PATH, os.O_RDWR), fcntl.LOCK_EX)
ready(sharing=[a, b])
c = child(want)
ready(wanting=c)
""",
    )
    with subject(source) as program:
        sharing = program.facts["sharing"]
        picture(program.pid, "pause", "pause")
        program.go()
        wanting = program.said()["wanting"]
        scene = picture(program.pid, "pause", "pause", "flock")
        lock = one(scene, "lock")
        assert (lock.holders, lock.waiting) == (tuple(sorted(sharing)), (wanting,))
        assert waiter(scene, "flock").blocked.object == lock.id


def test_posix_locks_have_ranges_and_each_waiter_its_own_lock(path):
    source = with_path(
        path,
        """
fd = os.open(PATH, os.O_RDWR)
fcntl.lockf(fd, fcntl.LOCK_EX, 10, 0)
fcntl.lockf(fd, fcntl.LOCK_EX, 0, 50)
def want(length, start):
    fcntl.lockf(os.open(PATH, os.O_RDWR), fcntl.LOCK_EX, length, start)
a, b = child(lambda: want(2, 8)), child(lambda: want(5, 70))
ready(a=a, b=b)
""",
    )
    with subject(source) as program:
        scene = picture(program.pid, "fcntl", "fcntl")
        first, rest = one(scene, "lock", start=0), one(scene, "lock", start=50)
        assert (first.type, first.end, first.holders) == ("posix", 9, (program.pid,))
        assert (rest.type, rest.end, rest.holders) == ("posix", None, (program.pid,))
        assert (first.waiting, rest.waiting) == ((program.facts["a"],), (program.facts["b"],))
        assert scene.process(program.facts["a"]).blocked.object == first.id
        assert scene.process(program.facts["b"]).blocked.object == rest.id


def test_an_ofd_lock_is_held_by_all_who_have_the_description_and_its_waiter_is_found(path):
    source = with_path(
        path,
        OFD
        + """
fd = os.open(PATH, os.O_RDWR)
ofd_lock(fd, 5, 10)
pid = child(lambda: (os.close(fd), ofd_lock(os.open(PATH, os.O_RDWR), 14, 3)))
keeper = child(signal.pause)
ready(child=pid, keeper=keeper)
""",
    )
    with subject(source) as program:
        scene = picture(program.pid, "fcntl", "pause")
        lock = one(scene, "lock")
        assert (lock.type, lock.mode, lock.start, lock.end) == ("ofd", "write", 5, 14)
        assert lock.holders == tuple(sorted((program.pid, program.facts["keeper"])))
        assert lock.waiting == (program.facts["child"],)
        assert waiter(scene, "fcntl").blocked.object == lock.id


def test_a_lock_that_a_stranger_holds(path):
    holder = with_path(path, "fd = os.open(PATH, os.O_RDWR)\nfcntl.flock(fd, fcntl.LOCK_EX)\nready()")
    source = with_path(path, "child(lambda: fcntl.flock(os.open(PATH, os.O_RDWR), fcntl.LOCK_EX))\nready()")
    with subject(holder) as stranger, subject(source) as program:
        scene = picture(program.pid, "flock")
        lock = one(scene, "lock")
        assert lock.holders == (stranger.pid,)
        assert waiter(scene, "flock").blocked.object == lock.id


def test_a_stranger_who_waits_is_named(path):
    holder = with_path(path, "fd = os.open(PATH, os.O_RDWR)\nfcntl.flock(fd, fcntl.LOCK_EX)\nready()")
    source = with_path(
        path, "child(lambda: fcntl.flock(os.open(PATH, os.O_RDWR), fcntl.LOCK_EX))\nready(child=children[0])"
    )
    with subject(holder) as program, subject(source) as stranger:
        picture(stranger.pid, "flock")
        assert one(picture(program.pid), "lock").waiting == (stranger.facts["child"],)


def test_a_lock_disappears_from_the_picture_when_it_is_given_up(path):
    source = with_path(
        path,
        """
fd = os.open(PATH, os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
ready()
fcntl.flock(fd, fcntl.LOCK_UN)
ready()
""",
    )
    with subject(source) as program:
        xray = XRay()
        one(xray.look(program.pid), "lock")
        program.go()
        program.said()
        assert not [o for o in xray.look(program.pid).objects if o.kind == "lock"]


def test_a_lock_on_a_file_in_shared_memory():
    source = """
name = "/dev/shm/labkit-test-%d" % os.getpid()
fd = os.open(name, os.O_CREAT | os.O_RDWR)
os.unlink(name)
fcntl.flock(fd, fcntl.LOCK_EX)
ready(fd=fd)
"""
    with subject(source) as program:
        scene = picture(program.pid)
        assert one(scene, "lock").file == held(scene, program.pid, program.facts["fd"]).id


# --- parsing ----------------------------------------------------------------------------------------

LISTING = b"""\
1: FLOCK  ADVISORY  WRITE 4711 fe:00:99 0 EOF
1: -> FLOCK  ADVISORY  READ 4712 fe:00:99 0 EOF
1: -> FLOCK  ADVISORY  WRITE 4713 fe:00:99 0 EOF
2: OFDLCK ADVISORY  READ -1 fe:00:99 5 14
3: LEASE  ACTIVE    READ 3 fe:00:98 0 EOF
"""


def test_a_listing_with_waiters():
    first, second = locks.parse_locks(LISTING)
    assert (first.lock.type, first.lock.pid, first.lock.end) == ("flock", 4711, None)
    assert [(w.pid, w.mode) for w in first.waiting] == [(4712, "read"), (4713, "write")]
    assert (second.lock.type, second.lock.pid, second.lock.end) == ("ofd", None, 14)
    assert first.lock.overlaps(second.lock)


@given(st.integers(0, 200), st.integers(-50, 50), st.sampled_from([0, 1, 2]))
def test_the_range_that_is_asked_for_is_never_before_the_file(start, length, whence):
    wish = locks.wished(locks.Request("write", whence, start, length), "posix", offset=7, size=100)
    base = start + {0: 0, 1: 7, 2: 100}[whence]
    assert wish.start >= 0
    if length > 0:
        assert (wish.start, wish.end) == (base, base + length - 1)
    if length == 0:
        assert (wish.start, wish.end) == (base, None)
    if length < 0:
        assert wish.end == base - 1
