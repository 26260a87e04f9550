"""Opens the course in JupyterLab: `make lab` runs it, and gives it what follows `ARGS=`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "notebooks/00_start_here.ipynb"
_SOCKET_PATH_MAX = 107


def main() -> None:
    """Become `jupyter lab`, with the whole course to be seen and the first notebook open."""
    os.chdir(ROOT)
    program = str(ROOT / ".venv/bin/jupyter")
    # Without port_retries=0, a port that is taken is silently another one.
    command = [program, "lab", f"--ServerApp.root_dir={ROOT}", "--ServerApp.port_retries=0"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    if _sockets_fit():
        command.append("--KernelManager.transport=ipc")
    os.execv(program, [*command, START, *sys.argv[1:]])


def _sockets_fit() -> bool:
    """Kernels are talked to over Unix sockets, which other users cannot reach, where their paths fit."""
    from jupyter_core.paths import jupyter_runtime_dir

    example = f"{jupyter_runtime_dir()}/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5"
    return len(os.fsencode(example)) <= _SOCKET_PATH_MAX


if __name__ == "__main__":
    main()
