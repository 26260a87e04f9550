"""A real JupyterLab and a real Chromium, both ended with the tests."""

from __future__ import annotations

import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")

from labserver import CHROMIUM, STARTED_MS, Lab, Notebook, end_lab, listen, start_lab  # noqa: E402


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="lab-"))  # short: kernels talk through sockets in it
    lab, server = start_lab(home)
    yield lab
    end_lab(server)
    shutil.rmtree(home)


@pytest.fixture
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install the package `chromium`")
    scratch = pathlib.Path(tempfile.gettempdir()).parent / "chromium"  # it does not always tidy up
    scratch.mkdir(exist_ok=True)
    own = {**os.environ, "TMPDIR": str(scratch)}
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=own)
        yield browser
        browser.close()


@pytest.fixture
def notebook(lab: Lab, chromium: Any) -> Iterator[Callable[..., Notebook]]:
    """`notebook(cell, cell…)` opens a new notebook with these cells."""
    pages: list[Notebook] = []

    def open_one(*cells: str, name: str = "", kernel: str = "python3", **options: Any) -> Notebook:
        path = lab.folder / (name or f"{secrets.token_hex(4)}.ipynb")
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        made.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        nbformat.write(made, path)
        return show(path, **options)

    def show(path: pathlib.Path, **options: Any) -> Notebook:
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, **options)
        opened = Notebook(page, path, lambda: show(path, **options))
        pages.append(opened)
        page.set_default_timeout(STARTED_MS)
        listen(opened)
        workspace = secrets.token_hex(4)
        url = f"{lab.url}/lab/workspaces/{workspace}/tree/{path.name}?token={lab.token}"
        page.goto(url, timeout=STARTED_MS)
        opened.wait_idle()
        return opened

    yield open_one
    if pages:
        pages[0].picture("last")
        pages[0].page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    for opened in pages:
        opened.page.close()
