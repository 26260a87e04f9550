"""A real JupyterLab, and notebooks in it as a browser sees them."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "out"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ENDED_S = 30
STARTED_MS = 90_000
QUIET_LAB = {"checkForUpdates": False, "fetchNews": "false"}


@dataclass
class Lab:
    """A running JupyterLab server."""

    url: str
    token: str
    folder: pathlib.Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_lab(home: pathlib.Path) -> tuple[Lab, subprocess.Popen[bytes]]:
    """A JupyterLab that reads and writes nothing outside `home`."""
    folders = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "run",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "spaces",
        "IPYTHONDIR": home / "ipython",
    }
    notification = folders["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "apputils-extension"
    notification.mkdir(parents=True)
    (notification / "notification.jupyterlab-settings").write_text(json.dumps(QUIET_LAB))
    work = home / "work"
    work.mkdir()
    port, token = free_port(), secrets.token_hex(16)
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    env |= {k: str(v) for k, v in folders.items()} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={work}"]
    command += [f"--IdentityProvider.token={token}", "--KernelManager.transport=ipc"]
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    lab = Lab(f"http://127.0.0.1:{port}", token, work)
    wait_answers(lab, server, home / "lab.log")
    return lab, server


def end_lab(server: subprocess.Popen[bytes]) -> None:
    """It ends its kernels and itself; a thread of anyio's that outlives its loop may hold it for ever."""
    server.terminate()
    try:
        server.wait(ENDED_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def wait_answers(lab: Lab, server: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    """Wait until the server answers; its log when it ends instead."""
    while True:
        try:
            with urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError):
            try:
                server.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"JupyterLab ended: {log.read_text()[-2000:]}") from None


@dataclass
class Notebook:
    """A notebook open in a browser, its kernel ready."""

    page: Any
    path: pathlib.Path
    again: Callable[[], Notebook]
    """The same in a second tab."""
    errors: list[str] = field(default_factory=list)

    def run(self, cell: int) -> None:
        """Run one cell and go on; it may still run when this returns."""
        self.page.evaluate(
            """async (n) => {
                const panel = window.jupyterapp.shell.currentWidget;
                panel.content.activeCellIndex = n;
                window.jupyterapp.commands.execute("notebook:run-cell");
            }""",
            cell,
        )

    def wait_ran(self, cell: int) -> None:
        """Wait until a cell has an execution number."""
        self.page.wait_for_function(
            """(n) => window.jupyterapp.shell.currentWidget.content.widgets[n].model.executionCount""",
            arg=cell,
        )

    def result(self, cell: int) -> str:
        """Run one cell to its end; the text of its result."""
        self.run(cell)
        self.wait_ran(cell)
        words: str = self.page.evaluate(
            """(n) => {
                const outputs = window.jupyterapp.shell.currentWidget.content.widgets[n].model.outputs;
                return outputs.length ? outputs.get(outputs.length - 1).data["text/plain"] ?? "" : "";
            }""",
            cell,
        )
        return words

    def save(self) -> None:
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def wait_idle(self) -> None:
        """Wait until its kernel waits for work; earlier, a dialog asks which kernel to take."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
                return context?.isReady && context.session?.kernel?.status === "idle";
            }""",
            timeout=STARTED_MS,
        )

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


def listen(opened: Notebook) -> None:
    """Note what the page complains of."""
    opened.page.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
    opened.page.on("pageerror", lambda e: opened.errors.append(str(e)))
