"""The fixture that watches all other tests sees each kind of thing that a test can leave behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import leaks
import pytest

INNER = """
import os, subprocess, tempfile
import posix_ipc, sysv_ipc

left = []

def test_process():
    subprocess.Popen(["sleep", "100"], start_new_session=True).returncode = 0

def test_daemon():
    subprocess.run(["sh", "-c", "setsid setsid sleep 100 >/dev/null &"])

def test_zombie():
    os.fork() or os._exit(0)

def test_segment():
    left.append(sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX).remove)

def test_semaphore():
    left.append(sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX).remove)

def test_message_queue():
    left.append(sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX).remove)

def test_named_semaphore():
    left.append(posix_ipc.Semaphore(None, posix_ipc.O_CREX).unlink)

def test_posix_queue():
    left.append(posix_ipc.MessageQueue(None, posix_ipc.O_CREX).unlink)

def test_fifo():
    path = tempfile.mktemp()
    os.mkfifo(path)
    left.append(lambda: os.unlink(path))

def test_nothing():
    child = subprocess.Popen(["sleep", "100"])
    child.kill()
    child.wait()

def teardown_module():
    for remove in left:
        remove()
"""

FOUND = {
    "process": r"process \d+: sleep 100",
    "daemon": r"process \d+: sleep 100",
    "zombie": r"zombie \d+, ",
    "segment": r"System V shared memory segment \d+",
    "semaphore": r"System V semaphore set \d+",
    "message_queue": r"System V message queue \d+",
    "named_semaphore": r"/dev/shm/sem\.\w+",
    "posix_queue": r"POSIX queue /\w+",
    "fifo": r"/\S+/tmp\w+",
}


def test_each_kind_of_thing_left_behind_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_inner.py").write_text(INNER)
    found = _left_behind(_pytest(tmp_path))
    expected = dict(FOUND)
    if not leaks.CAN_LIST_QUEUES:
        del expected["posix_queue"]
    assert found.keys() == expected.keys()
    for test, pattern in expected.items():
        assert re.fullmatch(pattern + ".*", found[test]), test


def _pytest(folder: Path) -> str:
    """What a pytest of its own says, watched as ours is; all its tests pass but for what they leave."""
    command = [sys.executable, "-m", "pytest", "-p", "leaks", "-p", "no:cacheprovider", "-W", "ignore"]
    environment = {**os.environ, "PYTHONPATH": str(Path(leaks.__file__).parent)}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "10 passed" in run.stdout, run.stdout + run.stderr
    return run.stdout


def _left_behind(report: str) -> dict[str, str]:
    """Test -> the line that names what it left."""
    lines = r"teardown of test_(\w+) _+\nThis test left behind:\n  (.*)\n"
    return dict(re.findall(lines, report))


def test_queues_are_listed_for_root() -> None:
    if os.geteuid() != 0 or not os.path.exists("/proc/sys/fs/mqueue"):
        pytest.skip("an ordinary user lists POSIX queues only where /dev/mqueue is mounted")
    assert leaks.CAN_LIST_QUEUES
