"""What programs leave: the known goes by itself, the suspected is listed, the rest is not touched."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest
import sysv_ipc

from labkit import cli, names
from labkit.kernel import remains
from labkit.owner import inheriting, journal, marks
from labkit.programs import python
from labkit.supervisor import Supervisor

PATIENCE_S = 20


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", folder + "/cache")
        monkeypatch.setenv(names.SCOPE, os.urandom(4).hex())
        monkeypatch.setenv(names.SCRATCH, folder + "/scratch")
        owner = Supervisor()
        yield owner
        owner.close()
        assert not os.path.exists(folder + "/scratch")


def run(owner: Supervisor, source: str) -> None:
    assert owner.start(python(source)).wait(PATIENCE_S) == 0


def there(kind: str, key: int) -> bool:
    return any(owned.thing.kind == kind and owned.key == key for owned in remains.system_v())


def test_objects_outlive_their_program_and_go_with_the_notebook(owner: Supervisor) -> None:
    shm, sem, msg = names.key("shm"), names.key("sem"), 4711
    run(
        owner,
        f"import sysv_ipc as s\ns.SharedMemory({shm}, s.IPC_CREX, size=100)\n"
        f"s.Semaphore({sem}, s.IPC_CREX)\ns.MessageQueue({msg}, s.IPC_CREX).send(b'x')",
    )
    assert there("sysv-shm", shm)
    assert there("sysv-sem", sem)
    assert there("sysv-msg", msg)
    owner.close()
    assert not there("sysv-shm", shm)
    assert not there("sysv-sem", sem)
    assert not there("sysv-msg", msg)


def test_what_was_there_before_or_came_from_others_is_not_touched(owner: Supervisor) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        fifo = folder + "/fifo"
        os.mkfifo(fifo)
        before = posix_ipc.SharedMemory("/clean-before", posix_ipc.O_CREX, size=10)
        owner.wait_for(lambda: owner.pid is not None)
        owner.close()  # a second owner, which begins after these were there
        second = Supervisor()
        try:
            source = (
                f"import os, posix_ipc\nos.open({fifo!r}, os.O_RDWR)\n"
                "posix_ipc.SharedMemory('/clean-before')\n"
                "print('on', flush=True)\nimport time; time.sleep(100)"
            )
            heard: list[bytes] = []
            program = second.start(python(source), on_output=lambda p, s, data: heard.append(data))
            assert second.wait_for(lambda: program.pid is not None, PATIENCE_S)
            while not heard:
                assert program.alive
            stranger = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=10)
        finally:
            second.close()
        try:
            assert os.path.exists(fifo)
            posix_ipc.SharedMemory("/clean-before").close_fd()
            assert any(owned.thing.name == str(stranger.id) for owned in remains.system_v())
        finally:
            stranger.detach()
            stranger.remove()
            before.close_fd()
            before.unlink()


def test_a_fifo_a_socket_and_a_queue_in_use_go_with_the_notebook(owner: Supervisor) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        source = (
            f"import os, socket, posix_ipc\nos.chdir({folder!r})\n"
            "os.mkfifo('fifo'); os.open('fifo', os.O_RDWR)\n"
            "s = socket.socket(socket.AF_UNIX); s.bind(os.path.abspath('sock'))\nopen('file', 'w').close()\n"
            "q = posix_ipc.MessageQueue('/clean-q', posix_ipc.O_CREX)\n"
            "print('on', flush=True)\nimport time; time.sleep(100)"
        )
        heard: list[bytes] = []
        owner.start(python(source), on_output=lambda p, s, data: heard.append(data))
        while not heard:
            assert owner.alive
        owner.close()
        assert os.listdir(folder) == ["file"]
        with pytest.raises(posix_ipc.ExistentialError):
            posix_ipc.MessageQueue("/clean-q")


def test_what_is_only_suspected_is_listed_and_removed_when_told_to(
    owner: Supervisor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os, time\nprint('on', flush=True)\ntime.sleep(100)"
    heard: list[bytes] = []
    owner.start(python(source), on_output=lambda p, s, data: heard.append(data))
    while not heard:
        assert owner.alive
    stranger = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX, size=10)
    stranger.detach()
    owner.close()
    assert cli.main(["clean", "--dry-run"]) == 1
    listed = capsys.readouterr().out
    assert f"System V shared memory segment {stranger.id}" in listed
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.main(["clean"]) == 1
    assert "labkit clean --yes" in capsys.readouterr().out
    assert cli.main(["clean", "--yes"]) == 0
    assert f"removed: System V shared memory segment {stranger.id}" in capsys.readouterr().out
    assert cli.main(["clean"]) == 0
    assert "Nothing is left" in capsys.readouterr().out


def test_a_zombie_that_its_parent_never_asks_for_holds_nobody() -> None:
    """As orphans do in a container whose first process reaps none."""
    notebook = marks.new_notebook()
    mark = marks.of_program(notebook, 1)
    source = (
        "import os, resource\nchild = os.fork()\n"
        f"if child == 0: resource.setrlimit({marks.RLIMIT_LOCKS}, ({mark}, {mark})); os._exit(0)\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\nprint(child, flush=True)\ninput()\nos.wait()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", source], text=True, **pipes) as parent:
        assert parent.stdout is not None
        zombie = int(parent.stdout.readline())
        assert marks.read(zombie) == mark
        inheriting.end_family(notebook, None)
        assert parent.poll() is None
        parent.communicate("\n")


def test_when_owner_and_notebook_are_killed_together_the_next_one_tidies_up(
    owner: Supervisor, tmp_path: Path
) -> None:
    source = (
        "import os, signal\nfrom labkit import supervisor\nfrom labkit.programs import python\n"
        "own = supervisor.connect()\nheard = []\n"
        "nasty = 'import sysv_ipc as s, time; s.SharedMemory(4712, s.IPC_CREX)\\nprint(1); time.sleep(99)'\n"
        "own.start(python(nasty), on_output=lambda p, s, d: heard.append(d))\n"
        "while not heard: pass\n"
        "print(own.pid, flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("LABKIT_")}
    both = subprocess.Popen([sys.executable, "-c", source], env=env, stdout=subprocess.PIPE)
    owner.start(python("")).wait_gone()  # whoever has just begun tidies up
    with both:
        assert both.stdout is not None
        other = int(both.stdout.readline())
        os.waitid(os.P_PID, both.pid, os.WSTOPPED | os.WNOWAIT)  # it hears of nothing any more
        ended = os.pidfd_open(other)
        os.kill(other, signal.SIGKILL)
        select.select([ended], [], [])
        os.close(ended)
        both.kill()
    assert there("sysv-shm", 4712)
    assert cli.main(["clean"]) == 0
    assert not there("sysv-shm", 4712)
    assert list(journal.abandoned()) == []
