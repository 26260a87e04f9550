"""Programs that wait for ever, each for a reason of its own; for the tests of waits."""

from __future__ import annotations

FORGOTTEN = """
    import os
    r, w = os.pipe()
    if os.fork() == 0:
        while os.read(r, 100):
            pass
        os._exit(0)
    os.close(r)
    os.write(w, b"hi")
    os.close(w)
    os.wait()
"""
HELD_BY_PARENT = """
    import os
    r, w = os.pipe()
    if os.fork() == 0:
        os.close(w)
        while os.read(r, 100):
            pass
        os._exit(0)
    os.wait()
"""
STUCK_GRANDCHILD = """
    import os
    if os.fork() == 0:
        if os.fork() == 0:
            r, w = os.pipe()
            os.read(r, 1)
        os.wait()
        os._exit(0)
    os.wait()
"""
BOTH_READ = """
    import os
    r1, w1 = os.pipe()
    r2, w2 = os.pipe()
    if os.fork() == 0:
        os.close(w1), os.close(r2)
        os.write(w2, os.read(r1, 5))
        os._exit(0)
    os.close(r1), os.close(w2)
    os.write(w1, os.read(r2, 5))
"""
BOTH_WRITE = """
    import os
    r1, w1 = os.pipe()
    r2, w2 = os.pipe()
    if os.fork() == 0:
        os.close(w1), os.close(r2)
        os.write(w2, b"x" * 200_000)
        os._exit(0)
    os.close(r1), os.close(w2)
    os.write(w1, b"x" * 200_000)
"""
FULL_LINE = """
    import os, socket
    r, w = os.pipe()
    door = socket.socket(socket.AF_UNIX)
    door.bind("\\0" + str(os.getpid()))
    door.listen(0)
    if os.fork() == 0:
        os.close(r)
        name = door.getsockname()
        door.close()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for client in clients:
            client.connect(name)
        os.write(w, b"all there")
        os._exit(0)
    os.close(w)
    os.read(r, 9)
"""
WAIT_BEFORE_READ = """
    import subprocess, sys
    command = [sys.executable, "-c", "print('x' * 200_000)"]
    subprocess.Popen(command, stdout=subprocess.PIPE).wait()
"""
CROSSED_FLOCKS = """
    import fcntl, os, sys
    told, tell = os.pipe(), os.pipe()
    child = os.fork() == 0
    a, b = open(sys.argv[1] + "/a", "w"), open(sys.argv[1] + "/b", "w")
    first, second = (b, a) if child else (a, b)
    fcntl.flock(first, fcntl.LOCK_EX)
    os.write((told if child else tell)[1], b".")
    os.read((tell if child else told)[0], 1)
    fcntl.flock(second, fcntl.LOCK_EX)
"""
LOCKED_TWICE = """
    import fcntl, sys
    one, two = open(sys.argv[1] + "/a", "w"), open(sys.argv[1] + "/a", "w")
    fcntl.flock(one, fcntl.LOCK_EX)
    fcntl.flock(two, fcntl.LOCK_EX)
"""
CROSSED_SYSV = """
    import os, sysv_ipc
    a, b = (sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX, initial_value=1) for _ in range(2))
    told, tell = os.pipe(), os.pipe()
    child = os.fork() == 0
    first, second = (b, a) if child else (a, b)
    first.acquire()
    os.write((told if child else tell)[1], b".")
    os.read((tell if child else told)[0], 1)
    second.acquire()
"""
CROSSED_SET = """
    #include <sys/sem.h>
    #include <unistd.h>
    int main(void) {
        int id = semget(IPC_PRIVATE, 2, 0600), told[2], tell[2];
        unsigned short ones[2] = {1, 1};
        char c;
        semctl(id, 0, SETALL, ones);
        pipe(told), pipe(tell);
        int child = fork() == 0;
        struct sembuf first = {child, -1, SEM_UNDO}, second = {!child, -1, SEM_UNDO};
        semop(id, &first, 1);
        write((child ? told : tell)[1], ".", 1);
        read((child ? tell : told)[0], &c, 1);
        semop(id, &second, 1);
    }
"""
POSIX_TWICE = """
    import os, posix_ipc
    name = f"/labkit-test-{os.getpid()}"
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, initial_value=1)
    semaphore.unlink()
    semaphore.acquire()
    semaphore.acquire()
"""
CROSSED_SHARED = """
    #include <semaphore.h>
    #include <sys/mman.h>
    #include <unistd.h>
    int main(void) {
        sem_t *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int told[2], tell[2];
        char c;
        sem_init(s, 1, 1), sem_init(s + 1, 1, 1);
        pipe(told), pipe(tell);
        int child = fork() == 0;
        sem_wait(s + child);
        write((child ? told : tell)[1], ".", 1);
        read((child ? tell : told)[0], &c, 1);
        sem_wait(s + !child);
    }
"""
MUTEX_TWICE = """
    #include <pthread.h>
    int main(void) {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&mutex);
    }
"""
CROSSED_THREADS = """
    import threading
    a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
    def take(first, second):
        with first:
            both.wait()
            with second:
                pass
    threading.Thread(target=take, args=(a, b)).start()
    take(b, a)
"""
THREAD_READS = """
    import os, threading
    r, w = os.pipe()
    reader = threading.Thread(target=os.read, args=(r, 1))
    reader.start()
    reader.join()
"""
SOCKET_PAIR = """
    import os, socket
    a, b = socket.socketpair()
    if os.fork() == 0:
        a.close()
        b.recv(5)
    b.close()
    a.recv(5)
"""
OWN_POLL = """
    import os, select
    r, w = os.pipe()
    poll = select.poll()
    poll.register(r, select.POLLIN)
    poll.poll()
"""
BOTH_SPLICE = """
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <unistd.h>
    int main(void) {
        int a[2], b[2];
        pipe(a), pipe(b);
        int child = fork() == 0, *in = child ? a : b, *out = child ? b : a;
        close(in[1]), close(out[0]);
        splice(in[0], 0, out[1], 0, 100, 0);
    }
"""
FULL_SPLICE = """
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <unistd.h>
    static char much[65536];
    int main(void) {
        int in[2], out[2];
        pipe(in), pipe(out);
        write(in[1], "x", 1), write(out[1], much, sizeof much);
        splice(in[0], 0, out[1], 0, 1, 0);
    }
"""
NESTED_EPOLLS = """
    import os, select
    a, b = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(a[0]), os.close(b[1])
        os.read(b[0], 1)
        os._exit(0)
    os.close(a[1]), os.close(b[0])
    inner, outer = select.epoll(), select.epoll()
    inner.register(a[0], select.EPOLLIN)
    outer.register(inner.fileno(), select.EPOLLIN)
    outer.poll()
"""
POLLS_PIDFD = """
    import os, select
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(w)
        os.read(r, 1)
        os._exit(0)
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    poll.poll()
"""
VFORKED = """
    #include <unistd.h>
    int main(void) {
        int ends[2];
        char byte;
        pipe(ends);
        if (vfork() == 0) {
            read(ends[0], &byte, 1);
            _exit(0);
        }
        write(ends[1], "x", 1);
    }
"""
PRIVATE_QUEUES = """
    import os, sysv_ipc
    queues = [sysv_ipc.MessageQueue(sysv_ipc.IPC_PRIVATE, sysv_ipc.IPC_CREX) for _ in range(2)]
    me = os.fork() == 0
    queues[me].receive()
"""
NAMELESS_QUEUES = """
    import os, posix_ipc
    names = [f"/stuck-{os.getpid()}-{i}" for i in range(2)]
    queues = [posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=2) for name in names]
    for name in names:
        posix_ipc.unlink_message_queue(name)
    me = os.fork() == 0
    queues[me].receive()
"""
CROSSED_COUNTERS = """
    import os
    counters = [os.eventfd(0), os.eventfd(0)]
    me = os.fork() == 0
    os.eventfd_read(counters[me])
    os.eventfd_write(counters[not me], 1)
"""
