"""What a learner sees while programs run, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SLOW_WRITER = """\
import os, sys
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(w)
    import signal
    signal.pause()
os.close(r)
for line in sys.stdin:
    os.write(w, line.strip().encode())
signal.pause()
"""

START = f"""\
import labkit
from labkit.programs import python
from labkit.supervisor import connect
writer = connect().start(python({SLOW_WRITER!r}, name="writer"), terminal=True)
"""

TUBE = ".labkit [data-key^='pipe']"


def test_bytes_move_into_the_pipe_on_the_screen(notebook: Callable[..., Any]) -> None:
    opened = notebook(START, "labkit.watch()", "writer.type('hello\\n')", "writer.type('again\\n')")
    page = opened.page
    for cell in (0, 1):
        opened.run(cell)
        opened.wait_ran(cell)
    page.wait_for_selector(f"{TUBE} >> text=empty")
    opened.run(2)
    page.wait_for_function(
        "s => [...document.querySelectorAll(s + ' .lk-byte')].map(e => e.textContent).join('') === 'hello'",
        arg=TUBE,
    )
    opened.run(3)
    page.wait_for_function(
        "s => document.querySelector(s)?.textContent.includes('10 of 65,536 bytes')", arg=TUBE
    )
    opened.picture("live")
    assert opened.errors == []
