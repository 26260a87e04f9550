"""Tells Jupyter of the kernel *Linux IPC*."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from labkit.errors import LabError


def spec(python: str) -> dict[str, object]:
    """The contents of kernel.json. `-P`: a file of the learner's named like a module must not be it."""
    return {
        "argv": [
            python,
            "-P",
            "-m",
            "labkit.kernelspec",
            "start",
            "-f",
            "{connection_file}",
        ],
        "display_name": "Linux IPC",
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"debugger": True},
    }


SETTINGS: dict[str, dict[str, object]] = {
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
}
"""JupyterLab saves widgets with a notebook, so that a film plays again when nothing runs, and does not lay
its question about news over a learner's first page. Each user may choose otherwise: these are only what
the settings begin with."""


def install(prefix: str = sys.prefix) -> Path:
    """Write the kernelspec `labkit`, and JupyterLab's first settings, under `prefix`; the former's folder."""
    folder = Path(prefix) / "share/jupyter/kernels/labkit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in Path(__file__).parent.glob("*.svg"):
            shutil.copyfile(picture, folder / picture.name)
        new = folder / "kernel.json.new"
        new.write_text(json.dumps(spec(sys.executable), indent=1) + "\n", encoding="utf-8")
        os.replace(new, folder / "kernel.json")
        _set_up_lab(Path(prefix) / "share/jupyter/lab/settings")
    except OSError as error:
        raise LabError(f"The kernel cannot be installed in {folder}: {error.strerror}.") from None
    return folder


def _set_up_lab(folder: Path) -> None:
    """Add ours to what JupyterLab's settings begin with; what somebody else wrote there stays."""
    file = folder / "overrides.json"
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    except ValueError:
        return  # JupyterLab itself will say that it cannot be read
    if not isinstance(known, dict):
        return
    for plugin, wanted in SETTINGS.items():
        known[plugin] = wanted | known.get(plugin, {})
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "overrides.json.new"
    new.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    os.replace(new, file)
