"""Files are looked at without asking who keeps them: a dead server does not hold up the looker."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from subjects import picture, until

from labkit.kernel.blocked import Waiting, on_target
from labkit.kernel.fstatus import status
from labkit.scene import File, Scene
from labkit.xray import XRay

MNT_FORCE, MNT_DETACH = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.mark.parametrize("path", ["/", "/dev/null", "/dev/shm", "/proc/self/maps", sys.executable, __file__])
def test_it_is_what_stat_says(path: str) -> None:
    found, expected = status(os.fsencode(path)), os.stat(path)
    fields = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_rdev", "st_size")
    assert [getattr(found, f) for f in fields] == [getattr(expected, f) for f in fields]


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        status(os.fsencode(tmp_path / "nothing"))


def test_only_a_fifo_that_is_being_opened_is_walked_to_again() -> None:
    waiting = Waiting("open", path=(-100, 4096))
    assert on_target(waiting, b"wait_for_partner") == on_target(waiting, b"0") == waiting
    assert on_target(waiting, b"request_wait_answer").path is None


class Server:
    """A filesystem with one file, kept by this process, until it answers no more."""

    INIT, LOOKUP, GETATTR, OPEN, OPENDIR = 26, 1, 3, 14, 27

    def __init__(self, folder: Path) -> None:
        self.dead, self._folder = False, folder
        self._device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0".encode()
        if _libc.mount(b"test", os.fsencode(folder), b"fuse", 0, options) < 0:
            os.close(self._device)
            raise PermissionError
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # ENODEV: it is unmounted
            while True:
                request = os.read(self._device, 1 << 20)
                _, operation, unique, node = struct.unpack_from("=IIQQ", request)
                answer = self._answers(node).get(operation, b"")
                if not self.dead:
                    os.write(self._device, struct.pack("=IiQ", 16 + len(answer), 0, unique) + answer)

    def _answers(self, node: int) -> dict[int, bytes]:
        def attributes(node: int) -> bytes:
            mode = 0o40755 if node == 1 else 0o100644
            return struct.pack("=6Q10I", node, 5, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

        return {
            self.INIT: struct.pack("=IIIIHHIIHHI7I", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, 0, *[0] * 7),
            self.LOOKUP: struct.pack("=QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2),
            self.GETATTR: struct.pack("=QII", 0, 0, 0) + attributes(node),
            self.OPEN: struct.pack("=QII", 5, 0, 0),
            self.OPENDIR: struct.pack("=QII", 5, 0, 0),
        }

    def end(self) -> None:
        """Whoever waits gets an error. To unmount asks the server, too."""
        self.dead = False
        _libc.umount2(os.fsencode(self._folder), MNT_FORCE | MNT_DETACH)

    def close(self) -> None:
        self.end()
        self._thread.join()
        os.close(self._device)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    try:
        served = Server(tmp_path)
    except OSError:
        pytest.skip("no filesystem of our own can be mounted here")
    yield served
    served.close()


def test_a_dead_server_of_files_does_not_hold_up_a_look(server: Server, tmp_path: Path) -> None:
    command = f"exec 3<{tmp_path}/file; echo; read word; exec 4<{tmp_path}/file"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["sh", "-c", command], **pipes) as program:  # type: ignore[call-overload]
        program.stdout.readline()
        picture(program.pid, "read")
        server.dead = True
        try:
            seen: list[Scene] = [_looked_at(program.pid)]
            program.stdin.write(b"go\n"), program.stdin.flush()
            until(lambda: Path(f"/proc/{program.pid}/wchan").read_text(), lambda where: "request" in where)
            seen.append(_looked_at(program.pid))
        finally:
            server.end()
    for scene in seen:
        files = [thing.path for thing in scene.objects if isinstance(thing, File)]
        assert f"{tmp_path}/file" in files
    blocked = seen[1].processes[0].blocked
    assert blocked is not None
    assert (blocked.call, blocked.object) == ("open", None)


def _looked_at(pid: int) -> Scene:
    """A look in a thread of its own: it must end."""
    seen: list[Scene] = []
    looker = threading.Thread(target=lambda: seen.append(XRay().look(pid)), daemon=True)
    looker.start()
    looker.join(20)
    assert seen, "the look waits for the server"
    return seen[0]
