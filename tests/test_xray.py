"""The X-ray of processes, descriptors and pipes, against real programs and independent witnesses."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from kernel.subjects import one, picture, subject, until

from labkit.draw import text
from labkit.draw.sketch import sketch
from labkit.errors import LabError
from labkit.kernel import memory
from labkit.kernel.numbers import number
from labkit.scene import Pipe, Process, Scene
from labkit.xray import XRay, xray


def descriptor(process: Process, fd: int):  # type: ignore[no-untyped-def]
    """The row of this number."""
    (found,) = [held for held in process.descriptors or () if held.fd == fd]
    return found


# --- processes --------------------------------------------------------------------------------------


def test_a_program_alone_is_the_parent_and_its_children_are_numbered_in_order_of_forks() -> None:
    with subject("for _ in range(3): child(signal.pause)\nready(children=children)") as program:
        scene = picture(program.pid, "pause", "pause", "pause")
        assert [p.name for p in scene.processes] == ["parent", "child", "child 2", "child 3"]
        assert [p.pid for p in scene.processes] == [program.pid, *program.facts["children"]]
        assert {p.ppid for p in scene.processes[1:]} == {program.pid}


def test_children_of_a_named_program_bear_its_name_and_grandchildren_too() -> None:
    source = "def work():\n    child(signal.pause)\n    try: os.waitpid(-1, 0)\n    finally: pass\n"
    source += "child(work)\nready()\n"
    source += "kid, = open(f'/proc/{children[0]}/task/{children[0]}/children').read().split()\n"
    source += "os.kill(int(kid), 9); os.waitpid(children.pop(), 0)"
    with subject(source) as program:
        camera = XRay({program.pid: "server"})
        scene = until(lambda: camera.look(program.pid), lambda scene: len(scene.processes) == 3)
    assert [p.name for p in scene.processes] == ["server", "server/child", "server/child 2"]


def test_the_number_of_a_dead_child_is_never_given_again() -> None:
    source = """
child(signal.pause)
ready()
os.kill(children[0], signal.SIGKILL); os.waitpid(children.pop(), 0)
child(signal.pause)
ready()
"""
    with subject(source) as program:
        camera = XRay()
        first = camera.look(program.pid)
        program.go()
        program.said()
        second = camera.look(program.pid)
        program.go()
    assert [p.name for p in first.processes] == ["parent", "child"]
    assert [p.name for p in second.processes] == ["parent", "child 2"]


def test_two_programs_without_names_are_called_by_their_commands() -> None:
    with subject("ready()") as one, subject("ready()") as other:
        scene = xray(one.pid, other.pid)
        assert [p.name for p in scene.processes] == [
            scene.processes[0].command.split()[0].rsplit("/", 1)[-1] and _comm(one.pid),
            f"{_comm(other.pid)} 2",
        ]


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_zombie_says_how_it_ended() -> None:
    source = """
child(lambda: os._exit(3))
child(lambda: os.kill(os.getpid(), 9))
child(lambda: os._exit(0))
for pid in children: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
ready()
for pid in children: os.waitpid(pid, 0)
children.clear()
"""
    with subject(source) as program:
        scene = xray(program.pid)
    assert [(p.state, p.exit) for p in scene.processes[1:]] == [("zombie", 3), ("zombie", -9), ("zombie", 0)]
    assert [p.descriptors for p in scene.processes[1:]] == [(), (), ()]


def test_a_stopped_process_is_stopped() -> None:
    with subject("child(signal.pause)\nready(child=children[0])") as program:
        picture(program.pid, "pause")
        os.kill(program.facts["child"], signal.SIGSTOP)
        scene = until(lambda: xray(program.pid), lambda scene: scene.processes[1].state == "stopped")
        assert scene.processes[1].blocked is None


def test_a_running_process_is_running() -> None:
    with subject("def spin():\n    while True: pass\nchild(spin)\nready()") as program:
        scene = until(lambda: xray(program.pid), lambda scene: scene.processes[1].state == "running")
        assert scene.processes[1].blocked is None


def test_an_orphan_stays_in_the_picture_of_the_program_that_it_came_from() -> None:
    source = """
def middle():
    child(signal.pause)
    signal.pause()
child(middle)
ready()
os.kill(children[0], 9); os.waitpid(children.pop(), 0)
ready()
"""
    with subject(source) as program:
        camera = XRay()
        scene = until(lambda: camera.look(program.pid), lambda scene: len(scene.processes) == 3)
        orphan = scene.processes[2].pid
        program.go()
        program.said()
        scene = camera.look(program.pid)
        os.kill(orphan, signal.SIGKILL)
        program.go()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(orphan, 0)
    assert [(p.pid, p.name) for p in scene.processes] == [(program.pid, "parent"), (orphan, "child 2")]


def test_a_process_whose_main_thread_has_ended_is_not_dead() -> None:
    source = """
r, w = os.pipe()
def rest():
    ready(fd=r)
    os._exit(0)
threading.Thread(target=rest).start()
libc.pthread_exit(None)
"""
    with subject(source) as program:
        scene = until(lambda: xray(program.pid), _only_the_rest_sleeps)
        (process,) = scene.processes
        assert process.state == "sleeping"
        assert process.exit is None
        assert descriptor(process, program.facts["fd"]).mode == "r"


def _only_the_rest_sleeps(scene: Scene) -> bool:
    return [thread.state for thread in scene.processes[0].threads] == ["zombie", "sleeping"]


def test_a_process_whose_main_thread_has_ended_is_looked_into_through_another() -> None:
    source = """
def leave():
    os.fork() or os._exit(0)  # the dead have no memory, as an ended thread: they do not share it
    r, w = os.pipe()
    reader = threading.Thread(target=os.read, args=(r, 1))
    reader.start()
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=lock.acquire).start()
    libc.pthread_exit(None)
child(leave)
ready()
"""
    with subject(source) as program:
        (child,) = program_children(program.pid)
        scene = until(lambda: XRay().look(child), lambda scene: scene.deadlocks)
    assert "holds its only write end itself" in scene.deadlocks[0].because
    assert one(scene, "pipe", others=False).queued == 0
    assert "its main thread has ended; the others go on" in text(scene)
    assert scene.limits == ()


def program_children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_signals_are_named() -> None:
    source = """
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN + 2])
os.kill(os.getpid(), signal.SIGUSR2)
ready()
"""
    with subject(source) as program:
        signals = xray(program.pid).processes[0].signals
    assert signals is not None
    assert "SIGUSR1" in signals.caught
    assert "SIGHUP" in signals.ignored
    assert signals.blocked == ("SIGUSR2", "SIGRTMIN+2")
    assert signals.pending == ("SIGUSR2",)


def test_a_thread_s_number_leads_to_its_process() -> None:
    source = "t = threading.Thread(target=ready, daemon=True); t.start(); t.join()"
    with subject(source) as program:
        (other,) = {thread.tid for thread in xray(program.pid).processes[0].threads} - {program.pid}
        assert [p.pid for p in xray(other).processes] == [program.pid]


def test_nobody_there_is_one_clear_sentence() -> None:
    with pytest.raises(LabError, match="There is no process"):
        xray(2**22 - 1)
    with pytest.raises(LabError, match="Which processes"):
        xray()
    assert XRay().look(2**22 - 1) == Scene()


# --- descriptors ------------------------------------------------------------------------------------


def test_descriptors_as_lsof_and_the_program_itself_see_them(tmp_path: Path) -> None:
    source = f"""
f = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT | os.O_APPEND)
os.write(f, b"0123456789"); os.lseek(f, 4, 0)
g = os.open("/dev/null", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
os.set_inheritable(f, True)
p = os.open("/", os.O_PATH)
ready(f=f, g=g, p=p)
"""
    with subject(source) as program:
        (process,) = xray(program.pid).processes
        lsof = subprocess.run(["lsof", "-F", "f", "-p", str(program.pid)], capture_output=True, text=True)
    rows = {held.fd: held for held in process.descriptors or ()}
    assert set(rows) == {
        int(line[1:]) for line in lsof.stdout.splitlines() if line[1:].isdigit() and line[0] == "f"
    }
    f, g, p = (rows[program.facts[name]] for name in "fgp")
    assert (f.mode, f.flags, f.offset) == ("rw", ("O_APPEND",), 4)
    assert (g.mode, g.flags, g.offset) == ("w", ("O_NONBLOCK", "O_CLOEXEC"), 0)
    assert (p.mode, "O_PATH" in p.flags) == (None, True)


def test_descriptors_of_one_open_file_description_have_one_number(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = f"""
path = {str(tmp_path / "file")!r}
a = os.open(path, os.O_RDONLY); b = os.dup(a); c = os.open(path, os.O_RDONLY)
child(signal.pause)
ready(fds=[a, b, c])
"""
    with subject(source) as program:
        camera = XRay()
        scene, again = camera.look(program.pid), camera.look(program.pid)
    numbers = [
        descriptor(process, fd).description for process in scene.processes for fd in program.facts["fds"]
    ]
    a, b, c = numbers[:3]
    assert None not in numbers
    assert (a == b, a == c) == (True, False)
    assert numbers[3:] == [a, b, c]
    assert [p.descriptors for p in again.processes] == [p.descriptors for p in scene.processes]


def test_a_description_that_was_opened_anew_has_another_number() -> None:
    source = """
a = os.open("/dev/null", os.O_RDONLY); b = os.dup(a)
ready(a=a, b=b)
os.close(b); os.dup2(os.open("/dev/null", os.O_RDONLY), b)
ready()
"""
    with subject(source) as program:
        camera = XRay()

        def numbers() -> tuple[int, int]:
            (process,) = camera.look(program.pid).processes
            return tuple(descriptor(process, program.facts[name]).description for name in "ab")  # type: ignore[return-value]

        before = numbers()
        program.go()
        program.said()
        after = numbers()
        program.go()
    assert before[0] == before[1]
    assert after[0] != after[1]


# --- pipes ------------------------------------------------------------------------------------------


def test_a_pipe_s_level_bytes_and_ends() -> None:
    source = "r, w = os.pipe(); os.write(w, b'hello\\0' + bytes(200)); child(signal.pause)\n"
    source += "ready(r=r, w=w, i=inode(r))"
    with subject(source) as program:
        pipe = one(picture(program.pid, "pause"), "pipe", queued=206)
        lsof = ["lsof", "-p", str(program.pid), "-a", "-d", str(program.facts["r"])]
        told = subprocess.run(lsof, capture_output=True, text=True)
    assert str(program.facts["i"]) in told.stdout
    assert pipe.capacity == 65536
    assert pipe.head == b"hello\0" + bytes(58)
    r, w = program.facts["r"], program.facts["w"]
    assert [end.fd for end in pipe.readers] == [r, r]
    assert [end.fd for end in pipe.writers] == [w, w]
    assert pipe.others is False


def test_packets_of_one_pipe_are_not_shown_in_the_next() -> None:
    source = """
packets, plain = os.pipe2(os.O_DIRECT), os.pipe()
for word in (b"abc", b"defg", b"hi"): os.write(packets[1], word)
os.write(plain[1], b"plain")
ready()
"""
    with subject(source) as program:
        scene = picture(program.pid, "read")
        assert one(scene, "pipe", queued=9).head == b"abc"
        assert one(scene, "pipe", queued=5).head == b"plain"


def test_looking_takes_nothing_out_of_a_pipe() -> None:
    source = "r, w = os.pipe(); os.write(w, b'x' * 1000)\nready()\nready(left=len(os.read(r, 9999)))"
    with subject(source) as program:
        camera = XRay()
        for _ in range(50):
            assert one(camera.look(program.pid), "pipe", queued=1000).head in (b"x" * 64, None)
        assert one(xray(program.pid), "pipe", queued=1000).head == b"x" * 64
        program.go()
        assert program.said() == {"left": 1000}
        program.go()


SPLICES = """
a, b = socket.socketpair()
b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1000, 0))
r, w = os.pipe()
child(lambda: CALL)
ready(splicer=children[0])
"""


@pytest.mark.parametrize("call", ["os.splice(b.fileno(), w, 9)", "os.sendfile(w, b.fileno(), None, 9)"])
def test_a_pipe_that_is_locked_by_who_fills_it_is_not_waited_for(call: str) -> None:
    """To ask how much is in it would last as long as the call does, and nothing could end that."""
    with subject(SPLICES.replace("CALL", call)) as program:
        scene = look_at_locked_pipe(program.pid, program.facts["splicer"], "unix_stream")
        blocked = scene.processes[1].blocked
        assert blocked is not None
        assert (scene.object(blocked.object).kind, blocked.timed is False) == ("unix-socket", False)  # type: ignore[union-attr]


STOPS = """
r, w = os.pipe()
def work():
    os.write(w, b"hi")
    libc.ptrace(0, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.write(w, b"three")
pid = child(work)
call = ""
while call != "NUMBER":
    os.waitpid(pid, os.WUNTRACED)
    call = open(f"/proc/{pid}/syscall").read().split()[0]
    call == "NUMBER" or libc.ptrace(24, pid, None, None)
ready()
"""


def test_a_pipe_is_asked_while_who_writes_is_stopped_by_his_tracer() -> None:
    with subject(STOPS.replace("NUMBER", str(number("write")))) as program:
        assert one(XRay().look(program.pid), "pipe", queued=2).notes == ()


FAULTS = """
number = {"x86_64": 323}.get(os.uname().machine, 282)
def write():
    faults = libc.syscall(number, 0)
    memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(faults, 0xC018AA3F, struct.pack("QQQ", 0xAA, 0, 0))
    fcntl.ioctl(faults, 0xC020AA00, struct.pack("QQQQ", address, mmap.PAGESIZE, 1, 0))
    os.write(w, memory)
is_allowed = (faults := libc.syscall(number, 0)) >= 0 and os.close(faults) is None
r, w = os.pipe()
if is_allowed: child(write)
ready(writer=children)
"""


def test_a_pipe_that_is_locked_by_who_waits_for_his_memory_is_not_waited_for() -> None:
    with subject(FAULTS) as program:
        if not program.facts["writer"]:
            pytest.skip("this kernel does not let us handle page faults")
        scene = look_at_locked_pipe(program.pid, *program.facts["writer"], "userfault")
        assert scene.processes[1].blocked is None


def look_at_locked_pipe(pid: int, holder: int, function: str) -> Scene:
    """A look, in a thread of its own, while the holder of the lock sleeps in this function of the kernel."""
    until(lambda: Path(f"/proc/{holder}/wchan").read_text(), lambda wchan: function in wchan)
    seen: list[Scene] = []
    looker = threading.Thread(target=lambda: seen.append(XRay().look(pid)), daemon=True)
    looker.start()
    looker.join(20)
    assert seen, "the look waits for the pipe"
    pipe = one(seen[0], "pipe", queued=None, head=None)
    assert any("keeps it locked until some come" in note for note in pipe.notes)
    return seen[0]


def test_another_capacity_is_shown() -> None:
    with subject("r, w = os.pipe(); fcntl.fcntl(w, 1031, 4096); ready()") as program:
        assert one(xray(program.pid), "pipe", capacity=4096).queued == 0


def test_a_pipe_full_of_slots_says_why_it_is_full_with_fewer_bytes() -> None:
    source = """
r, w = os.pipe()
os.set_blocking(w, False)
try:
    while True: os.write(w, b"x" * 3001)
except BlockingIOError: pass
ready()
"""
    with subject(source) as program:
        scene = xray(program.pid)
    (pipe,) = [thing for thing in scene.objects if isinstance(thing, Pipe) and thing.notes]
    assert pipe.queued is not None
    assert 0 < pipe.queued < 65536
    (why,) = pipe.notes
    assert why == f"full: its {65536 // memory.PAGE} pages are all in use, if not to the last byte"
    (box,) = [box for box in sketch(scene).boxes if box.title == pipe.id]
    assert why in " ".join(box.lines), "a still shows all of it, and not its first half"


def test_others_is_true_when_somebody_outside_holds_an_end() -> None:
    read, write = os.pipe()
    try:
        with subject(f"os.close({write}); ready()", pass_fds=(read, write)) as program:
            pipe = _pipe_at(xray(program.pid), program.pid, read)
            assert (pipe.others, pipe.writers) == (True, ())
    finally:
        os.close(read)
        os.close(write)


def test_whoever_held_an_end_a_moment_ago_holds_it_no_more(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "post")
    post = os.open(tmp_path / "post", os.O_RDWR)
    ends = (*os.pipe(), post)
    with subject("ready()", pass_fds=ends) as program:
        camera = XRay()
        before = camera.look(program.pid)
        for end in ends:
            os.close(end)
        after = camera.look(program.pid)
    seen = [[_pipe_at(scene, program.pid, fd).others for fd in ends[1:]] for scene in (before, after)]
    assert seen == [[True, True], [False, False]]


def test_a_pipe_whose_writers_are_all_gone_says_so() -> None:
    with subject("r, w = os.pipe(); os.close(w); ready(r=r)") as program:
        pipe = _pipe_at(xray(program.pid), program.pid, program.facts["r"])
    assert pipe.notes == ("no writer is left",)
    assert pipe.others is False


def test_others_is_not_known_while_a_descriptor_is_in_flight() -> None:
    source = """
r, w = os.pipe()
a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [w]); os.close(w)
ready(r=r)
"""
    with subject(source) as program:
        pipe = _pipe_at(xray(program.pid), program.pid, program.facts["r"])
    assert pipe.writers == ()
    assert pipe.others is None


def _pipe_at(scene: Scene, pid: int, fd: int) -> Pipe:
    process = scene.process(pid)
    assert process is not None
    found = scene.object(descriptor(process, fd).object)
    assert isinstance(found, Pipe)
    return found


@pytest.mark.parametrize("removed", [False, True])
def test_a_fifo_has_its_path_also_when_its_name_is_removed(tmp_path: Path, removed: bool) -> None:
    path = tmp_path / "a (deleted)"
    os.mkfifo(path)
    source = f"f = os.open({str(path)!r}, os.O_RDWR); os.write(f, b'abc')\n"
    source += f"if {removed}: os.unlink({str(path)!r})\nready(f=f)"
    with subject(source) as program:
        fifo = _pipe_at(xray(program.pid), program.pid, program.facts["f"])
    assert (fifo.kind, fifo.path, fifo.queued, fifo.head) == ("fifo", str(path), 3, b"abc")
    assert len(fifo.readers) == len(fifo.writers) == 1
    assert any("name is removed" in note for note in fifo.notes) is removed


def test_others_holds_for_a_fifo_too(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    ours = os.open(path, os.O_RDWR)
    try:
        with subject(f"f = os.open({str(path)!r}, os.O_RDONLY)\nready(f=f)") as program:
            assert _pipe_at(xray(program.pid), program.pid, program.facts["f"]).others is True
    finally:
        os.close(ours)


def test_ids_stay_from_look_to_look_while_pipes_come_and_go() -> None:
    source = """
a = os.pipe(); b = os.pipe()
ready(b=b[0])
os.close(a[0]); os.close(a[1]); c = os.pipe()
ready(c=c[0])
"""
    with subject(source) as program:
        camera = XRay()
        before = _pipe_at(camera.look(program.pid), program.pid, program.facts["b"]).id
        ids = {thing.id for thing in camera.look(program.pid).objects}
        program.go()
        fresh = program.said()["c"]
        scene = camera.look(program.pid)
        program.go()
    assert _pipe_at(scene, program.pid, program.facts["b"]).id == before
    assert _pipe_at(scene, program.pid, fresh).id not in ids


# --- waits ------------------------------------------------------------------------------------------


def test_a_reader_that_holds_the_only_write_end_is_a_deadlock_found_in_every_look() -> None:
    with subject(
        "r, w = os.pipe()\ndef work():\n    os.read(r, 1)\nchild(work); os.close(w); ready()"
    ) as program:
        camera = XRay()
        scene = until(lambda: camera.look(program.pid), lambda scene: scene.deadlocks)
        assert scene.deadlocks[0].processes == (scene.processes[1].pid,)
        for _ in range(5):
            assert camera.look(program.pid).deadlocks == scene.deadlocks


def test_no_deadlock_while_somebody_outside_can_write() -> None:
    read, write = os.pipe()
    try:
        with subject(
            f"def work():\n    os.read({read}, 1)\nchild(work); ready()", pass_fds=(read, write)
        ) as program:
            scene = picture(program.pid, "read", "read")
            assert scene.processes[1].blocked is not None
            assert scene.deadlocks == ()
    finally:
        os.close(read)
        os.close(write)


def test_two_processes_that_hand_a_byte_to_and_fro_are_never_called_deadlocked() -> None:
    """Most looks catch one of them asleep, and some see both: never in one and the same moment."""
    source = """
(r1, w1), (r2, w2) = os.pipe(), os.pipe()
def there():
    os.close(r2); os.close(w1)
    while os.read(r1, 1): os.write(w2, b"x")
def back():
    os.close(r1); os.close(w2)
    while os.write(w1, b"x") and os.read(r2, 1): pass
child(there); child(back)
for fd in (r1, w1, r2, w2): os.close(fd)
ready()
"""
    with subject(source) as program:
        camera = XRay()
        for _ in range(300):
            assert camera.look(program.pid).deadlocks == ()


# --- the whole --------------------------------------------------------------------------------------


def test_the_picture_is_json_both_ways() -> None:
    with subject("r, w = os.pipe(); child(lambda: os.read(r, 1)); ready()") as program:
        scene = picture(program.pid, "read")
    assert Scene.from_json(scene.to_json()) == scene
    assert json.loads(scene.to_json())["version"] == 1


def test_an_xray_gives_its_descriptors_back() -> None:
    with subject("r, w = os.pipe(); os.write(w, b'x'); ready()") as program:
        before = set(os.listdir("/proc/self/fd"))
        camera = XRay()
        for _ in range(3):
            camera.look(program.pid)
        del camera
        assert set(os.listdir("/proc/self/fd")) == before


def test_single_pictures_see_at_once_what_changed_outside_and_count_anew() -> None:
    read, write = os.pipe()
    with subject(f"child(lambda: os.read({read}, 1)); ready()", pass_fds=(read, write)) as program:
        picture(program.pid, "read", "read")
        os.close(read)
        first = xray(program.pid)
        again = xray(program.pid)
        os.close(write)
        alone = xray(program.pid)
    assert [_pipe_at(scene, program.pid, read).others for scene in (first, again, alone)] == [
        True,
        True,
        False,
    ]
    for scene in (first, again, alone):
        assert next(thing.id for thing in scene.objects if thing.kind == "pipe") == "pipe-1"
        numbers = {held.description for process in scene.processes for held in process.descriptors or ()}
        assert numbers == set(range(1, len(numbers) + 1))
