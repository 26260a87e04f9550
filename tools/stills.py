"""Takes pictures for the README out of the notebooks: `python tools/stills.py`.

They are the stored outputs of cells that were run, as they stand there, and become docs/pictures/still-*.svg.
"""

from __future__ import annotations

from pathlib import Path

from labkit import notebooks

ROOT = Path(__file__).resolve().parents[1]
STILLS = {
    "forgotten": ("04_pipes", 'labkit.xray("forgetful")'),
    "polite": ("13_unix_sockets", 'labkit.xray("polite")'),
    "film": ("04_pipes", "%%film parent"),
}
"""A picture's name, its notebook, and how the cell begins that drew it."""


def still(notebook: str, cell: str) -> str:
    """The picture that is stored below this cell."""
    for found in notebooks.read(ROOT / "notebooks" / f"{notebook}.ipynb")["cells"]:
        if notebooks.source(found).startswith(cell):
            return "".join(found["outputs"][0]["data"]["image/svg+xml"])
    raise SystemExit(f"{notebook} has no cell {cell}")


if __name__ == "__main__":
    for name, (notebook, cell) in STILLS.items():
        target = ROOT / "docs" / "pictures" / f"still-{name}.svg"
        target.write_text(still(notebook, cell) + "\n", encoding="utf-8")
        print(f"wrote {target.relative_to(ROOT)}")
