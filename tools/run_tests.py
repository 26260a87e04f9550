"""Runs the tests, on two cores where that is clean: `make unit` runs it, and gives it what follows `ARGS=`.

Tests count what is left on the machine, so two runs may not share one. Where root may make namespaces,
each run gets pids, IPC objects and a `/dev/shm` of its own, and takes the next file that nobody has taken
(`tests/conftest.py`). Anywhere else, and with arguments, there is one run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest"]
APART = ["unshare", "--ipc", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "--"]
APART += ["sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh"]
if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 14):
    # A fork bomb that a test lets off meets this limit before the machine's; it is the namespace's own.
    APART[-2] = "echo 8000 >/proc/sys/kernel/pid_max && " + APART[-2]
RUNS = 2


def main(arguments: list[str]) -> int:
    """The tests' exit status."""
    os.chdir(ROOT)
    if arguments or (os.cpu_count() or 1) < RUNS or not may_be_apart():
        return subprocess.call([*PYTEST, *arguments], stdin=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        return side_by_side(Path(folder))


def may_be_apart() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run([*APART, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def side_by_side(folder: Path) -> int:
    """Start all runs; show the first as it goes, the others when they are done."""
    (folder / "taken").mkdir()
    environment = {**os.environ, "LABKIT_TESTS_TAKEN": str(folder / "taken")}
    first = subprocess.Popen([*APART, *PYTEST], stdin=subprocess.DEVNULL, env=environment)
    others = []
    for number in range(1, RUNS):
        with (folder / f"{number}.log").open("wb") as log:
            command = [*APART, *PYTEST, "-p", "no:cacheprovider"]
            others.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
            )
    statuses = [first.wait()]
    for number, other in enumerate(others, 1):
        statuses.append(other.wait())
        print(f"\n--- the tests beside these ({number}) ---", flush=True)
        print((folder / f"{number}.log").read_text(errors="replace"), flush=True)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
