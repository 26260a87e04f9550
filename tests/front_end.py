"""A front end like JupyterLab, for tests: it sends cell ids, allows input, and hears late output."""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from jupyter_client.manager import KernelManager

TIMEOUT_S = 60


class FrontEnd:
    """One kernel and what it sent, by cell."""

    def __init__(self, kernel_name: str = "python3", live: bool = True, **options: Any) -> None:
        self.live = live
        self.manager = KernelManager(kernel_name=kernel_name, **options)
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)
        self.outputs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.busy: set[str] = set()
        self.replies: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []

    def send(self, code: str, cell: str = "one") -> str:
        """Send a cell; the id by which to ask for what came of it."""
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": self.live, "stop_on_error": False,
        }  # fmt: skip
        metadata = {"cellId": cell} if self.live else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        id: str = message["header"]["msg_id"]
        self.busy.add(id)
        self.client.shell_channel.send(message)
        return id

    def run(self, code: str, cell: str = "one") -> str:
        """Send a cell, wait for its end, and give its text."""
        id = self.send(code, cell)
        self.until(lambda: id not in self.busy and id in self.replies)
        return self.text(id)

    def text(self, id: str, stream: str | None = None) -> str:
        """All text that came for a cell, or of one stream; errors too when none is named."""
        parts = []
        for content in self.outputs[id]:
            if "text" in content and stream in (None, content["name"]):
                parts.append(content["text"])
            elif "data" in content and stream is None:
                parts.append(content["data"]["text/plain"])
            elif "traceback" in content and stream is None:
                parts.append("\n".join(content["traceback"]))
        return "".join(parts)

    def until(self, condition: Callable[[], object]) -> None:
        """Take messages until the condition holds."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, f"it never became so; so far: {dict(self.outputs)}"
            self.take()

    def take(self) -> None:
        """Take what has come."""
        self._iopub()
        while self.client.shell_channel.msg_ready():
            reply = self.client.get_shell_msg(timeout=1)
            self.replies[reply["parent_header"].get("msg_id", "")] = reply["content"]
        while self.client.stdin_channel.msg_ready():
            self.asked.append(self.client.get_stdin_msg(timeout=1)["content"])

    def _iopub(self) -> None:
        try:
            message = self.client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            return
        parent = message["parent_header"].get("msg_id", "")
        if message["msg_type"] in ("stream", "error", "display_data", "execute_result"):
            self.outputs[parent].append(message["content"])
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self.busy.discard(parent)

    def pid(self) -> int:
        """The notebook's process."""
        self.run("import os; print(os.getpid())", "pid")
        return int(self.run("import os; print(os.getpid())", "pid"))

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        process = self.manager.provisioner.process if self.manager.provisioner else None
        self.manager.shutdown_kernel(now=False)
        if process is not None:
            process.wait(TIMEOUT_S)
        self.manager.cleanup_resources()

    def __enter__(self) -> FrontEnd:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
