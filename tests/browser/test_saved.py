"""What a notebook shows when it is opened again and nothing runs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from labserver import STARTED_MS, Lab

pytestmark = pytest.mark.browser

FILM = """\
%%film
import os
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, b"hello")
    os._exit(0)
os.read(r, 5)
os.wait()
"""
OPEN = """async (path) => {
    const kernelPreference = { shouldStart: false, canStart: false, autoStartDefault: false };
    await window.jupyterapp.restored;
    const how = { path, factory: "Notebook", kernelPreference };
    await window.jupyterapp.commands.execute("docmanager:open", how);
}"""
NO_KERNEL = """() => {
    const context = window.jupyterapp.shell.currentWidget?.sessionContext;
    return context?.isReady && context.session === null;
}"""


def open_without_kernel(chromium: Any, lab: Lab, path: Path) -> Any:
    """A page with this notebook, and no kernel behind it."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(STARTED_MS)
    page.goto(f"{lab.url}/lab/workspaces/{secrets.token_hex(4)}?token={lab.token}", timeout=STARTED_MS)
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate(OPEN, path.name)
    page.wait_for_function(NO_KERNEL)
    return page


def test_a_film_saved_in_a_notebook_plays_again_though_nothing_was_run(
    notebook: Callable[..., Any],
) -> None:
    """JupyterLab gives the page a kernel of its own: its widgets ask for one, but want nothing of it."""
    opened = notebook("%load_ext labkit", FILM)
    opened.run(0)
    opened.wait_ran(0)
    opened.run(1)
    opened.page.wait_for_selector(".labkit .lk-where >> text=frame 1 of")
    opened.wait_ran(1)
    opened.save()
    opened.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert "widgets" in json.loads(opened.path.read_text())["metadata"]
    opened.page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    again = opened.again()
    page = again.page
    page.wait_for_selector(".labkit .lk-where >> text=frame 1 of")
    page.focus(".labkit .lk-range")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".labkit .lk-where").startswith("frame 2 of")
    page.keyboard.press("End")
    assert "The end: parent ended with status 0" in page.inner_text(".labkit .lk-ends")
    assert again.errors == []


STORED = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40"/></svg>'


@pytest.mark.parametrize("trusted", [True, False])
def test_a_stored_picture_shows_where_the_notebook_is_trusted(chromium: Any, lab: Lab, trusted: bool) -> None:
    output = nbformat.v4.new_output("display_data", {"image/svg+xml": STORED, "text/plain": "as text"})
    path = lab.folder / f"{secrets.token_hex(4)}.ipynb"
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x", outputs=[output], execution_count=1)]
    )
    nbformat.write(made, path)
    if trusted:
        home = {**os.environ, "JUPYTER_DATA_DIR": str(lab.folder.parent / "data")}
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(path)], env=home, check=True)
    page = open_without_kernel(chromium, lab, path)
    page.wait_for_selector(".jp-OutputArea-output >> text=as text" if not trusted else ".jp-RenderedSVG img")
    assert page.locator(".jp-RenderedSVG img").count() == int(trusted)
    page.close()
