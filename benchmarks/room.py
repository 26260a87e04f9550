"""What a room costs: the kernel *Linux IPC*, from start to its first answer, beside the plain one."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from jupyter_client.manager import KernelManager

from labkit import room

ROUNDS = 5
KERNELS = {"python3": "plain ipykernel", "labkit": "in a room"}


def seconds(kernel: str) -> float:
    """From the start of a kernel until it has answered."""
    began = time.perf_counter()
    manager = KernelManager(kernel_name=kernel)
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        return time.perf_counter() - began
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main() -> None:
    if reason := room.why_no_room():
        sys.exit(f"There is no room here to measure: {reason}")
    taken: dict[str, list[float]] = {kernel: [] for kernel in KERNELS}
    for _ in range(ROUNDS):
        for kernel in KERNELS:
            taken[kernel].append(seconds(kernel))
    plain = statistics.median(taken["python3"])
    for kernel, name in KERNELS.items():
        middle = statistics.median(taken[kernel])
        print(f"{name:<16}{middle:6.2f} s   {middle / plain:5.2f} x")


if __name__ == "__main__":
    main()
