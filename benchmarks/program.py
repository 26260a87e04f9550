"""What `%%program` adds to starting Python: a cell with `pass`, against `python -c pass`, in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

ROUNDS = 60
MOST = 1.5


def measure(*runs: Callable[[], object]) -> list[float]:
    """The median time of each, in milliseconds; they take turns, so that all meet the same machine."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, found in zip(runs, times, strict=True):
            began = time.perf_counter()
            run()
            found.append((time.perf_counter() - began) * 1e3)
    return [statistics.median(found) for found in times]


def main() -> int:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "labkit")
    shell.run_cell_magic("program", "", "pass")
    bare, cell = measure(
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        lambda: shell.run_cell_magic("program", "", "pass"),
    )
    print(f"python -c pass         {bare:7.1f} ms")
    print(f"%%program with pass    {cell:7.1f} ms")
    print(f"ratio                  {cell / bare:7.2f}    (at most {MOST})")
    return 0 if cell / bare <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
