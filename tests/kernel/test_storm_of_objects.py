"""Objects of every kind come and go while they are looked at: no look fails, and each is a whole scene."""

from __future__ import annotations

import sysconfig

from subjects import subject

from labkit.scene import Scene
from labkit.xray import XRay

STORM = f"""
sys.path[:0] = [{sysconfig.get_path("platlib")!r}]
import posix_ipc, sysv_ipc, tempfile

def sockets(n):
    a, b = socket.socketpair()
    a.send(b"x" * n)
    socket.send_fds(a, [b"fds"], [0, 1])
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    client.send(b"hello")
    for s in (b, client, a, listener):
        s.close()

def memory(n):
    fd = libc.memfd_create(b"storm", 0)
    os.ftruncate(fd, 4096 * (n % 5 + 1))
    view = mmap.mmap(fd, 4096)
    view[0] = 1
    os.close(fd)
    more = mmap.mmap(-1, 8192)
    more[:4] = b"anon"
    view.close()
    more.close()

def named(n):
    name = "/labkit-storm-%d" % os.getpid()
    shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, size=4096)
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREAT, initial_value=n)
    queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREAT)
    queue.send(b"x")
    for thing in (shm, semaphore, queue):
        thing.unlink()
    shm.close_fd()
    semaphore.close()
    queue.close()

def sysv(n):
    queue = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX)
    queue.send(b"x" * n, type=3)
    segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=4096)
    segment.write(b"hello")
    semaphore = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=1)
    semaphore.acquire()
    segment.detach()
    for thing in (queue, segment, semaphore):
        thing.remove()

def files(n):
    with tempfile.TemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX, n + 1)
        epoll = select.epoll()
        counter = os.eventfd(n)
        epoll.register(counter)
        os.close(counter)
        epoll.close()

asked = mmap.mmap(-1, 4096)
def storm(work):
    n = 0
    while not asked[0]:
        work(n % 50)
        n += 1

for work in (sockets, memory, named, sysv, files):
    child(lambda work=work: storm(work))
ready()
asked[0] = 1
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
children.clear()
"""


SHORT_LIVED = {"unix-socket", "memfd", "sysv-msg", "eventfd"}
"""Each is there for some microseconds at a time, and is seen in the end."""


def test_a_hundred_looks_into_a_storm():
    with subject(STORM) as program:
        xray = XRay(all_objects=True)
        kinds: set[str] = set()
        looks = 0
        while looks < 100 or not kinds >= SHORT_LIVED:
            looks += 1
            scene = xray.look(program.pid)
            kinds |= {object.kind for object in scene.objects}
            assert Scene.from_json(scene.to_json()) == scene
            known = {object.id for object in scene.objects}
            for process in scene.processes:
                named = {d.object for d in process.descriptors or ()} | {
                    m.object for m in process.mappings or ()
                }
                assert named <= known | {None}
