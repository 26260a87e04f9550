"""A room with a second user in it, for lessons on permissions: what the Linux kernel says to that user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sandboxes
from front_end import FrontEnd

from labkit import room
from labkit.errors import LabError
from labkit.kernel import two_users
from labkit.kernelspec import installing


def _why_not() -> str | None:
    try:
        os.close(room.users())
    except (LabError, OSError) as error:
        return str(error)
    return None


_WHY_NOT = room.why_no_room() or _why_not()
needs_two = pytest.mark.skipif(_WHY_NOT is not None, reason=str(_WHY_NOT))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    prefix = tmp_path_factory.mktemp("prefix")
    installing.install(str(prefix))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(prefix / "share/jupyter"))
        with FrontEnd("labkit") as live:
            yield live


@needs_two
def test_another_user_meets_the_permissions_of_what_this_one_made(live: FrontEnd) -> None:
    live.run("import sysv_ipc\nmade = sysv_ipc.SharedMemory(77, sysv_ipc.IPC_CREX, mode=0o600, size=10)")
    assert live.run("%%shell guest --as-other-user\nid -u; ipcs -m | grep -c ' 600 '") == "65534\n1\n"
    assert live.run(f"%%c guest --as-other-user\n{ATTACH}") == "-1 Permission denied\n"
    live.run("made.mode = 0o644")
    assert live.run(f"%%c guest --as-other-user\n{ATTACH}") == "0 \n"
    live.run("made.detach(); made.remove()")


ATTACH = """#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
int main() {
    int id = shmget(77, 0, 0);
    int failed = shmat(id, NULL, SHM_RDONLY) == (void *) -1;
    printf("%d %s\\n", -failed, failed ? strerror(errno) : "");
}
"""


@needs_two
def test_what_another_user_runs_is_seen_and_ended_and_has_no_rights(live: FrontEnd) -> None:
    live.run("%%shell guest --as-other-user &\nsleep 1000")
    assert "sleeping in nanosleep" in live.run("import labkit\nlabkit.xray('guest')")
    live.run("labkit.stop('guest')")
    assert live.run("print(labkit.xray().processes)") == "()\n"
    for line in ("%%shell own", "%%shell guest --as-other-user"):
        rights = live.run(f"{line}\ngrep CapAmb /proc/self/status; grep CapPrm /proc/self/status").split()
        assert rights[1] == "0" * 16
        if os.geteuid() != 0 or "guest" in line:
            assert rights[3] == "0" * 16


def test_subordinate_ids_are_read_by_name_and_by_number(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text("somebody:1:5\nno colon\n4242:300000:65536\n4242:9:9\n")
    assert two_users._subordinate(str(file), 4242) == 300000
    with pytest.raises(LabError, match=r"gives this user no subordinate ids.*usermod --add-subuids"):
        two_users._subordinate(str(file), 4243)
    with pytest.raises(LabError, match="no subordinate ids"):
        two_users._subordinate(str(tmp_path / "missing"), 4242)


IN_A_ROOM = """
import os, subprocess, sys
from labkit import room
from labkit.errors import LabError
try:
    users = room.users()
except LabError as error:
    sys.exit(f"refused: {error}")
argv = room.in_room(["grep", "-c", "", "/proc/self/uid_map"], users=users)
sys.exit(subprocess.run(argv, pass_fds=[users]).returncode)
"""


@pytest.mark.skipif(room.why_no_room() is not None, reason="no room here")
def test_an_ordinary_user_gets_a_second_one_by_subordinate_ids_or_a_sentence(tmp_path: Path) -> None:
    python, options = sandboxes.ordinary_user(tmp_path)
    ran = subprocess.run([python, "-c", IN_A_ROOM], capture_output=True, text=True, cwd="/", **options)
    if ran.returncode == 0:
        assert ran.stdout == "2\n"
    else:
        assert ran.stderr.startswith("refused: ")
        assert "uidmap" in ran.stderr or "subordinate ids" in ran.stderr
