"""The Jupyter kernel *Linux IPC* starts in a room, or says why not, and never outlives its Jupyter."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leaks
import pytest
import sandboxes
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from labkit import room
from labkit.errors import LabError
from labkit.kernelspec import installing

needs_room = pytest.mark.skipif(room.why_no_room() is not None, reason=f"no room here: {room.why_no_room()}")

START_S = 60


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The kernelspec as it is now, not as `make setup` wrote it some day."""
    prefix = tmp_path_factory.mktemp("prefix")
    installing.install(str(prefix))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(prefix / "share/jupyter"))
        yield


@contextlib.contextmanager
def kernel(**options: Any) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A running kernel of ours and a client that is ready."""
    manager = KernelManager(kernel_name="labkit")
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_S)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def value(client: BlockingKernelClient, expression: str) -> Any:
    """What an expression is in the kernel: it comes in the reply, so no output can get lost."""
    reply = client.execute("import os", user_expressions={"it": expression}, reply=True, timeout=START_S)
    answer = reply["content"]["user_expressions"]["it"]
    assert answer["status"] == "ok", answer
    return ast.literal_eval(answer["data"]["text/plain"])


@needs_room
def test_the_kernel_is_in_a_room_and_knows_its_scope() -> None:
    with kernel() as (_, client):
        assert value(client, "len(os.pipe())") == 2
        assert value(client, "[p.name for p in __import__('labkit').xray().processes]") == ["notebook"]
        seen = value(client, "[os.getpid(), os.listdir('/dev/shm'), os.environ.get('LABKIT_NO_ROOM')]")
        assert seen == [2, [], None]
        assert len(value(client, "os.environ['LABKIT_SCOPE']")) == 12
        assert value(client, "os.mkfifo(os.environ['LABKIT_SCRATCH'] + '/fifo')") is None
        assert os.listdir(value(client, "os.environ['LABKIT_SCRATCH']")) == []
        assert "labkit" in value(client, "sorted(get_ipython().extension_manager.loaded)")


@pytest.mark.parametrize("refused", [(), ("kcmp", "pidfd_getfd")], ids=["namespaces", "more"])
def test_without_namespaces_the_kernel_starts_and_says_why_it_has_no_room(refused: tuple[str, ...]) -> None:
    with kernel(preexec_fn=sandboxes.like_docker(*refused)) as (_, client):
        said: list[str | None] = []
        for _ in range(2):
            client.execute_interactive("pass", output_hook=lambda m: said.append(m["content"].get("text")))
        assert [text[:55] for text in said if text] == [
            "This notebook has no room of its own: a seccomp filter,"
        ]
        assert "seccomp filter" in value(client, "os.environ['LABKIT_NO_ROOM']")
        assert value(client, "os.readlink('/proc/self/ns/ipc')") == os.readlink("/proc/self/ns/ipc")
        assert "labkit" in value(client, "sorted(get_ipython().extension_manager.loaded)")


@pytest.mark.parametrize("refuse", [None, sandboxes.like_docker()], ids=["room", "no room"])
def test_a_busy_kernel_is_interrupted(refuse: Any) -> None:
    with kernel(preexec_fn=refuse) as (manager, client):
        request = client.execute(
            "import time\nprint('begun', flush=True)\ntime.sleep(1000)", stop_on_error=False
        )
        while client.get_iopub_msg(timeout=START_S)["content"].get("text") != "begun\n":
            pass
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=START_S))["parent_header"].get("msg_id") != request:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert value(client, "6 * 7") == 42


@needs_room
def test_a_room_that_was_killed_leaves_no_files(cache: Path) -> None:
    with kernel() as (manager, client):
        client.execute(f"get_ipython().run_cell_magic('program', 'maker &', {MAKER!r})", reply=True)
        process = manager.provisioner.process  # type: ignore[union-attr]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(START_S)
        until(lambda: not [file for file in (cache / "labkit").rglob("*") if file.is_file()])


@needs_room
def test_restarting_gives_a_new_room() -> None:
    with kernel() as (manager, client):
        assert value(client, "os.mkdir('/dev/shm/old')") is None
        scope = value(client, "os.environ['LABKIT_SCOPE']")
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=START_S)
        assert value(client, "os.listdir('/dev/shm')") == []
        assert value(client, "os.environ['LABKIT_SCOPE']") != scope


def test_a_file_named_like_a_module_does_no_harm(tmp_path: Path) -> None:
    for name in ("signal", "json", "labkit", "glob"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    command = [*installing.spec(sys.executable)["argv"][:-2], "--version"]  # type: ignore[index]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "shadowed" not in run.stdout + run.stderr
    assert run.returncode == 0


@pytest.mark.parametrize("refuse", [None, sandboxes.like_docker()], ids=["room", "no room"])
def test_when_jupyter_is_killed_its_kernels_and_their_files_go(refuse: Any, tmp_path: Path) -> None:
    before = leaks.Before()
    with jupyter_server(tmp_path, refuse) as (server, ask):
        made = ask("/api/kernels", {"name": "labkit"})
        run, name = Path(os.environ["JUPYTER_RUNTIME_DIR"]), f"kernel-{made['id']}"
        until((run / f"{name}-ipc-5").exists)
        assert (run / f"{name}.json").exists()
        server.kill()
        server.wait()
        assert before.left_behind() == []
        assert list(run.glob(f"{name}*")) == []


MAKER = """
import sysv_ipc, time
segment = sysv_ipc.SharedMemory(None, sysv_ipc.IPC_CREX)
time.sleep(1000)
"""


def test_without_a_room_known_objects_go_even_when_kernel_and_owner_are_killed_at_once(cache: Path) -> None:
    with kernel(preexec_fn=sandboxes.like_docker()) as (manager, client):
        client.execute(f"get_ipython().run_cell_magic('program', 'maker &', {MAKER!r})", reply=True)
        scratch = Path(value(client, "os.environ['LABKIT_SCRATCH']"))
        until(lambda: "sysv-shm" in "".join(file.read_text() for file in (cache / "labkit").rglob("*.json")))
        process = manager.provisioner.process  # type: ignore[union-attr]
        for pid, _ in leaks.below(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(START_S)
        assert not scratch.exists()
        assert not [file for file in (cache / "labkit").rglob("*") if file.is_file()]


@contextlib.contextmanager
def jupyter_server(folder: Path, refuse: Any) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """A Jupyter server over Unix sockets, and a function that asks it."""
    environment = {**os.environ, "JUPYTER_TOKEN": "word"}
    command = [sys.executable, "-m", "jupyter_server", "--port=0", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", "--KernelManager.transport=ipc"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    server = subprocess.Popen(command, env=environment, text=True, preexec_fn=refuse, **quiet)  # type: ignore[call-overload]  # noqa: PLW1509
    try:
        written = "}"  # it is there before all of it is
        until(lambda: [f for f in run.glob("jpserver-*.json") if f.read_text().strip().endswith(written)])
        (about,) = run.glob("jpserver-*.json")
        told = json.loads(about.read_text())
        base = told["url"].rstrip("/")
        with socket.socket() as probe:
            until(lambda: probe.connect_ex(("127.0.0.1", told["port"])) == 0)

        def ask(path: str, body: object = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(base + path, data, {"Authorization": "token word"})
            with urllib.request.urlopen(request, timeout=START_S) as answer:
                return json.load(answer)

        yield server, ask
    finally:
        server.kill()
        server.wait()
        for file in run.glob("jpserver-*"):
            file.unlink()


def until(condition: Any) -> None:
    """Return once it is so; fail after a while."""
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.02)


def test_a_dead_jupyter_gets_no_kernel() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    environment = {**os.environ, "JPY_PARENT_PID": str(gone.pid)}
    command = [sys.executable, "-m", "labkit.kernelspec", "start", "-f", "/nowhere.json"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "labkit: the Jupyter that asked for this kernel is gone.\n")


def test_a_prefix_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("")
    with pytest.raises(
        LabError, match=r"cannot be installed in .*share/jupyter/kernels/labkit: Not a directory"
    ):
        installing.install(str(tmp_path))


def test_jupyterlab_saves_widgets_and_asks_nothing_unless_somebody_decided_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "share/jupyter/lab/settings/overrides.json"
    widgets = "@jupyter-widgets/jupyterlab-manager:plugin"
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    installing.install(str(tmp_path))
    assert json.loads(file.read_text()) == {widgets: {"saveState": True}} | quiet
    file.write_text(json.dumps({widgets: {"saveState": False}, "other": {"a": 1}}))
    installing.install(str(tmp_path))
    assert json.loads(file.read_text()) == {widgets: {"saveState": False}, "other": {"a": 1}} | quiet
    file.write_text("no JSON")
    installing.install(str(tmp_path))
    assert file.read_text() == "no JSON"


def test_the_kernel_ends_with_status_of_ipykernel() -> None:
    with kernel() as (manager, client):
        client.execute("import os; os._exit(7)")
        process = manager.provisioner.process  # type: ignore[union-attr]
        assert process.wait(START_S) == 7


def test_sigterm_to_the_kernel_ends_all_of_it() -> None:
    with kernel() as (manager, _):
        family = leaks.below(manager.provisioner.pid)  # type: ignore[union-attr]
        os.kill(manager.provisioner.pid, signal.SIGTERM)  # type: ignore[union-attr]
        manager.provisioner.process.wait(START_S)  # type: ignore[union-attr]
        until(lambda: all(leaks._state(pid) in "ZX" for pid, _ in family & leaks.below(os.getpid())))
