"""What a learner sees while programs run, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from labserver import ROOT

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

TYPED = """\
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
writer = connect().start(python({TYPED!r}, name="writer"), terminal=True)
"""

WRITER = ".labkit [data-key]:has(.lk-name:text-is('writer')) .lk-hit"
TUBE = ".labkit [data-key^='pipe']"
BYTES = "s => [...document.querySelectorAll(s + ' .lk-byte')].map(e => e.textContent).join('')"


def wait_bytes(page: Any, text: str) -> None:
    """Wait until the pipe on the screen holds exactly this."""
    page.wait_for_function(f"t => ({BYTES})({TUBE!r}) === t", arg=text)


def watching(notebook: Callable[..., Any], *more: str, **options: Any) -> Any:
    """A notebook in which the picture of an empty pipe can be seen."""
    opened = notebook(START, "labkit.watch()", *more, **options)
    for cell in (0, 1):
        opened.run(cell)
        opened.wait_ran(cell)
    opened.page.wait_for_selector(f"{TUBE} >> text=empty")
    return opened


@pytest.mark.parametrize("kernel", ["python3", "labkit"])
def test_bytes_move_into_the_pipe_on_the_screen(notebook: Callable[..., Any], kernel: str) -> None:
    """With a plain kernel, and with *Linux IPC*, whose programs live in a room."""
    opened = watching(notebook, r"writer.type('hello\n')", r"writer.type('again\n')", kernel=kernel)
    opened.run(2)
    wait_bytes(opened.page, "hello")
    opened.run(3)
    opened.page.wait_for_selector(f"{TUBE} >> text=10 of 65,536 bytes")
    opened.picture("live")
    assert opened.errors == []


def test_the_picture_moves_while_a_cell_runs_and_a_button_says_that_it_waits(
    notebook: Callable[..., Any],
) -> None:
    blocking = (
        "writer.type('hello\\n')\nimport select, os\nr, w = os.pipe()\nselect.select([r], [], [], 3600)"
    )
    opened = watching(notebook, blocking)
    page = opened.page
    opened.run(2)
    wait_bytes(page, "hello")
    assert (
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") == "busy"
    )
    page.click(WRITER)
    page.select_option(".labkit .lk-controls select", "SIGCONT")
    page.click(".labkit .lk-controls button >> text=send")
    page.wait_for_selector(".lk-asked >> text=/waits until the running cell|SIGCONT was sent/")
    page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    page.wait_for_selector(".lk-asked >> text=SIGCONT was sent")


def test_freeze_holds_the_picture_and_step_goes_on(notebook: Callable[..., Any]) -> None:
    opened = watching(notebook, r"writer.type('a\n')", r"writer.type('b\n')")
    page = opened.page
    page.click(".labkit button >> text=freeze")
    opened.run(2)
    page.wait_for_selector(".lk-behind >> text=behind")
    assert page.query_selector(f"{TUBE} >> text=empty")
    while page.query_selector(f"{TUBE} >> text=empty"):
        page.click(".labkit button >> text=step")
    wait_bytes(page, "a")
    opened.run(3)
    opened.wait_ran(3)
    page.click(".labkit button >> text=freeze")
    wait_bytes(page, "ab")


def test_stopping_a_program_from_the_picture_ends_it_and_leaves_the_last_picture(
    notebook: Callable[..., Any],
) -> None:
    opened = watching(notebook)
    page = opened.page
    page.click(WRITER)
    page.click(".labkit .lk-controls button >> text=stop writer")
    page.wait_for_selector(".labkit[data-status=ended]")
    assert page.inner_text(".lk-state") == "ended: this is the last picture"
    assert page.query_selector(".labkit .lk-name >> text=writer")
    assert opened.errors == []


def test_a_reloaded_page_and_a_second_tab_show_how_things_are_now(notebook: Callable[..., Any]) -> None:
    opened = watching(notebook, r"writer.type('hello\n')", r"writer.type('more\n')")
    opened.run(2)
    wait_bytes(opened.page, "hello")
    opened.save()
    opened.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    opened.page.reload()
    opened.wait_idle()
    wait_bytes(opened.page, "hello")
    second = opened.again()
    wait_bytes(second.page, "hello")
    opened.run(3)
    for page in (opened.page, second.page):
        wait_bytes(page, "hellomore")


def test_a_view_says_that_it_is_stale_when_its_kernel_restarts(notebook: Callable[..., Any]) -> None:
    opened = watching(notebook)
    opened.page.evaluate(
        "() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    opened.page.wait_for_selector(".labkit[data-status=stale] .lk-state >> text=stale")
    opened.wait_idle()


def test_running_the_cell_again_leaves_one_view_and_no_thread_behind(notebook: Callable[..., Any]) -> None:
    count = "import threading\n[t.name for t in threading.enumerate()].count('labkit-view')"
    opened = watching(notebook, count, "writer.stop(); writer.wait_gone(10)", count)
    page = opened.page
    opened.run(1)
    page.wait_for_function("() => document.querySelectorAll('.labkit').length === 1")
    page.wait_for_selector(f"{TUBE} >> text=empty")
    assert opened.result(2) == "1"
    opened.result(3)
    page.wait_for_selector(".labkit[data-status=ended]")
    assert opened.result(4) == "0"
    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.wait_for_function("() => document.querySelectorAll('.labkit').length === 0")
    assert opened.errors == []


def test_fifty_views_and_only_those_that_can_be_seen_draw(notebook: Callable[..., Any]) -> None:
    opened = notebook(
        START,
        "views = [labkit.watch() for _ in range(50)]\nfor v in views: display(v)",
        r"writer.type('hello\n')",
        "sum(v.due(float(i)) for i, v in enumerate(views) if set(v._pages.values()) == {'shown'})",
    )
    page = opened.page
    for cell in (0, 1):
        opened.run(cell)
        opened.wait_ran(cell)
    page.wait_for_function("() => document.querySelectorAll('.labkit').length === 50")
    page.wait_for_selector(f"{TUBE} >> text=empty")
    opened.run(2)
    opened.wait_ran(2)
    assert 1 <= int(opened.result(3)) < 15
    full = "e => e.textContent.includes('5 of 65,536')"
    drawn = f"() => [...document.querySelectorAll('.labkit')].filter({full}).length"
    page.evaluate("() => document.querySelectorAll('.labkit')[0].scrollIntoView()")
    page.wait_for_function(f"() => ({drawn})() >= 1")
    assert page.evaluate(drawn) < 15
    assert opened.errors == []


def test_axe_finds_nothing_in_jupyterlab_light_and_dark(notebook: Callable[..., Any]) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: run `npm ci`")
    opened = watching(notebook)
    page = opened.page
    page.click(WRITER)
    page.evaluate(AXE.read_text() + "; undefined")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "t => void window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", theme
        )
        light = str(theme.endswith("Light")).lower()
        page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        found = page.evaluate("() => axe.run('.labkit')")
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found["violations"]] == [], theme
        opened.picture(f"lab-{light}")
