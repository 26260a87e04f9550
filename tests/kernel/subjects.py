"""Programs to look at: real ones, started here, that say when they are ready and end when told to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from labkit.scene import Process, Scene
from labkit.xray import XRay

T = TypeVar("T")
PATIENCE_S = 20.0

_PREAMBLE = """
import ctypes, fcntl, json, mmap, os, select, signal, socket, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
children = []

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, repr(error).encode() + b"\\n")
        os._exit(0)
    children.append(pid)
    return pid

def ready(**facts):
    "Tell what the test wants to know; return when it says go."
    print(json.dumps(facts), flush=True)
    return sys.stdin.readline().strip()

def inode(fd):
    return os.fstat(fd if isinstance(fd, int) else fd.fileno()).st_ino
"""

_ENDING = """
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


class Subject:
    """A program that has said it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.facts: dict[str, Any] = self.said()

    def said(self) -> dict[str, Any]:
        """What it tells by its next `ready`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program ended before it was ready"
        facts: dict[str, Any] = json.loads(line)
        return facts

    def go(self, word: str = "") -> None:
        """Let it go on from its `ready`."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def subject(source: str, **options: Any) -> Iterator[Subject]:
    """Run this Python source until its first `ready`; at the end it and its children end."""
    python = options.pop("python", sys.executable)
    command = [*options.pop("before", []), python, "-c", _PREAMBLE + source + _ENDING]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, **options
    )
    try:
        yield Subject(process)
        process.communicate()
        assert process.returncode == 0, "the program failed: its error is above"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def until(look: Callable[[], T], fits: Callable[[T], Any]) -> T:
    """What `look()` gives once it fits; it is asked again and again until then."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = look()
        if fits(found):
            return found
        assert time.monotonic() < deadline, f"it never came to be so: {found}"


def picture(pid: int, *blocked: str, xray: XRay | None = None) -> Scene:
    """A look at a program once as many of its processes as are named sleep in these calls."""

    def all_asleep(scene: Scene) -> bool:
        calls = [process.blocked.call for process in scene.processes if process.blocked]
        return all(calls.count(call) >= blocked.count(call) for call in blocked)

    camera = xray or XRay()
    return until(lambda: camera.look(pid), all_asleep)


def one(scene: Scene, kind: str, **fields: Any) -> Any:
    """The only object of this kind that has these fields."""
    found = [
        object
        for object in scene.objects
        if object.kind == kind and all(getattr(object, name) == value for name, value in fields.items())
    ]
    assert len(found) == 1, [object for object in scene.objects if object.kind == kind]
    return found[0]


def held(scene: Scene, pid: int, fd: int) -> Any:
    """The object that this descriptor is open on."""
    process = scene.process(pid)
    assert process is not None
    assert process.descriptors is not None
    (found,) = [d for d in process.descriptors if d.fd == fd]
    return scene.object(found.object)


def waiter(scene: Scene, call: str) -> Process:
    """The only process that sleeps in this call."""
    (found,) = [p for p in scene.processes if p.blocked and p.blocked.call == call]
    return found


def run(*command: str) -> str:
    """What an independent witness prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seen_by(pid: int, python: str = sys.executable, **options: Any) -> Scene:
    """The picture that a labkit of its own takes, started with these options: with fewer rights, say."""
    code = f"from labkit.xray import XRay; print(XRay().look({pid}).to_json())"
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True, **options)
    return Scene.from_json(done.stdout)
