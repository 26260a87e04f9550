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


def install(prefix: str = sys.prefix) -> Path:
    """Write the kernelspec `labkit` under `prefix`; its folder."""
    folder = Path(prefix) / "share/jupyter/kernels/labkit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in Path(__file__).parent.glob("*.svg"):
            shutil.copyfile(picture, folder / picture.name)
        new = folder / "kernel.json.new"
        new.write_text(json.dumps(spec(sys.executable), indent=1) + "\n", encoding="utf-8")
        os.replace(new, folder / "kernel.json")
    except OSError as error:
        raise LabError(f"The kernel cannot be installed in {folder}: {error.strerror}.") from None
    return folder
