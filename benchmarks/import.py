"""What `import labkit` costs, beside starting Python and beside a module of Python's own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
PROGRAMS = {"python": "pass", "import asyncio": "import asyncio", "import labkit": "import labkit"}


def milliseconds(code: str) -> float:
    """How long one Python takes for this code, from start to end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, code in PROGRAMS.items():
            taken[name].append(milliseconds(code))
    bare = statistics.median(taken["python"])
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"{name:<16}{middle:7.1f} ms   {middle - bare:+7.1f} ms over python   {middle / bare:5.2f} x")


if __name__ == "__main__":
    main()
