"""Objects of one's own: made apart, they are not seen by others, and end with their maker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sysv_ipc

from labkit.kernel import private

KEY = 0x6C616270


@pytest.mark.skipif(not private.can_be_separate(), reason="namespaces of one's own are refused here")
def test_objects_made_apart_are_seen_by_nobody_else():
    mine = sysv_ipc.SharedMemory(KEY, sysv_ipc.IPC_CREX, size=10)
    here = Path("/dev/shm/labkit-here")
    here.touch()
    try:
        child = os.fork()
        if child == 0:
            private.separate()
            unseen = not here.exists() and f"{KEY} " not in Path("/proc/sysvipc/shm").read_text()
            sysv_ipc.SharedMemory(KEY, sysv_ipc.IPC_CREX, size=77)
            Path("/dev/shm/labkit-there").touch()
            os._exit(0 if unseen and os.getuid() == os.geteuid() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert not Path("/dev/shm/labkit-there").exists()
        assert mine.size == 10
    finally:
        here.unlink()
        mine.detach()
        mine.remove()


def test_a_try_leaves_us_where_we_are():
    before = os.readlink("/proc/self/ns/ipc"), os.readlink("/proc/self/ns/mnt")
    private.can_be_separate()
    assert (os.readlink("/proc/self/ns/ipc"), os.readlink("/proc/self/ns/mnt")) == before
