"""Run notebooks and keep their outputs: `python tools/notebooks.py notebooks/04_pipes.ipynb …`.

A notebook's stored outputs are what a reader sees on the web and what nbval compares, so they are made
by one tool, the same way each time: every cell in order in a fresh kernel, for a learner who has solved
nothing yet, no timestamps, cell ids that do not change from run to run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

VIEW = "application/vnd.jupyter.widget-view+json"
"""A widget that no kernel and no saved state stands behind: JupyterLab would say that it cannot be shown,
and not show the picture beside it."""


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave nothing in the file that would differ the next time for no reason."""
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02}"
        for key in ("execution", "collapsed", "trusted"):
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("jupytext", None)


def run(path: Path) -> None:
    """Execute one notebook and store it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    name = notebook.metadata.get("kernelspec", {}).get("name", "labkit")
    NotebookClient(
        notebook,
        kernel_name=name,
        timeout=120,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    tidy(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as nobodys_progress:
        os.environ["LABKIT_DATA"] = nobodys_progress
        for argument in sys.argv[1:]:
            run(Path(argument))
            print(f"ran {argument}")
