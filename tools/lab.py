"""Opens the course in JupyterLab: `make lab` runs it, and gives it what follows `ARGS=`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "notebooks/00_start_here.ipynb"
FOLDERS = ("notebooks", "exercises", "solutions")
SIGNED = ROOT / ".venv/labkit-signed.json"
_SOCKET_PATH_MAX = 107


def main() -> None:
    """Become `jupyter lab`, with the whole course to be seen and the first notebook open."""
    os.chdir(ROOT)
    keep_in_this_folder_what_has_no_home()
    trust(untouched())
    program = str(ROOT / ".venv/bin/jupyter")
    # Without port_retries=0, a port that is taken is silently another one.
    command = [program, "lab", f"--ServerApp.root_dir={ROOT}", "--ServerApp.port_retries=0"]
    if not any("default_url" in word for word in sys.argv[1:]):
        command.append(f"--LabApp.default_url=/lab/tree/{START}")  # the address it prints leads there too
    if os.geteuid() == 0:
        command.append("--allow-root")
    if _sockets_fit():
        command.append("--KernelManager.transport=ipc")
    os.execv(program, [*command, START, *sys.argv[1:]])


def keep_in_this_folder_what_has_no_home() -> None:
    """Jupyter's own files: some containers have a home folder that cannot be written."""
    if not os.access(os.path.expanduser("~"), os.W_OK):
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            os.environ.setdefault(name, str(ROOT / ".venv/home" / name.lower()))


def untouched() -> dict[str, str]:
    """The course's own notebooks that are as they were published: path -> what git calls its content.

    Nothing where git is not there, or this folder did not come through it.
    """
    listed = _git("ls-files", "--stage", "-z", "--", *(f"{folder}/*.ipynb" for folder in FOLDERS))
    changed = set(_git("diff", "--name-only", "-z", "HEAD", "--", *FOLDERS))
    found = {path: stage for stage, path in (line.split("\t", 1) for line in listed)}
    return {path: stage.split()[1] for path, stage in found.items() if path not in changed}


def trust(notebooks: dict[str, str]) -> None:
    """Tell Jupyter that these are to be trusted, or it shows no picture that is stored in them.

    Whoever types `make lab` runs this folder's code anyway; what somebody changed is not ours to vouch
    for. Jupyter takes seconds to sign, so what was signed once is noted.
    """
    try:
        signed = json.loads(SIGNED.read_text())
    except (OSError, ValueError):
        signed = {}
    new = [path for path, content in notebooks.items() if signed.get(path) != content]
    if not new:
        return
    done = subprocess.run(
        [ROOT / ".venv/bin/jupyter", "trust", *new], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode == 0:
        SIGNED.write_text(json.dumps(notebooks))
    else:
        print(f"The notebooks could not be signed, so Jupyter may hide their pictures: {done.stderr[-300:]}")


def _git(*words: str) -> list[str]:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else []


def _sockets_fit() -> bool:
    """Kernels are talked to over Unix sockets, which other users cannot reach, where their paths fit."""
    from jupyter_core.paths import jupyter_runtime_dir

    example = f"{jupyter_runtime_dir()}/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5"
    return len(os.fsencode(example)) <= _SOCKET_PATH_MAX


if __name__ == "__main__":
    main()
