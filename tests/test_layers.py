"""Imports go one way: a module imports only from what stands before it in the package's map.

The map is the list in the docstring of `labkit/__init__.py`, so what a reader reads is what is checked.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import labkit

PACKAGE = Path(labkit.__file__).parent


def layers(docstring: str) -> list[str]:
    """The map's modules from first to last; a folder ends in `/`. Two on a line stand together."""
    lines = re.findall(r"^    ((?:\w+(?:\.py|/)(?:, )?)+)  +\S", docstring, re.MULTILINE)
    return [line.replace(".py", "") for line in lines]


def place(module: str, order: list[str]) -> int | None:
    """Where `labkit.kernel.proc` stands; None when the map does not name it."""
    if module == "labkit.errors":
        return -1
    top = module.split(".")[1]
    for number, entry in enumerate(order):
        if top in entry.replace("/", "").split(", "):
            return number
    return None


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, module of ours) for every import in it, also in functions; not those for types alone."""
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, module, is_package)
            if is_ours(base):
                names = (alias.name for alias in node.names if alias.name != "__version__")
                yield from ((node.lineno, resolved(base, name)) for name in names)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that stands below, but for what is read by a type checker alone."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from statements(child)


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "labkit"


def absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parents = module.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
    return ".".join([*parents, *([node.module] if node.module else [])])


def resolved(base: str, name: str) -> str:
    """`from labkit import scene` imports a module; `from labkit import LabError` the package itself."""
    path = PACKAGE.joinpath(*base.split(".")[1:], name)
    return f"{base}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else base


def against_the_flow(sources: dict[str, str], order: list[str], packages: set[str]) -> list[str]:
    """A line for each import that does not point to an earlier layer, or stays inside its own folder."""
    wrong = []
    for module, source in sources.items():
        if module in ("labkit", "labkit.__main__"):
            continue
        mine = place(module, order)
        if mine is None:
            wrong.append(f"{module} has no place in the map at the top of labkit/__init__.py")
            continue
        for line, other in imports(source, module, module in packages):
            if not allowed(module, mine, other, order):
                wrong.append(f"{module}, line {line}, imports {other}, which does not stand before it")
    return wrong


def allowed(module: str, mine: int, other: str, order: list[str]) -> bool:
    if other == "labkit":
        return order[mine] in ("magics/", "cli/")
    theirs = place(other, order)
    return theirs is not None and (theirs < mine or other.split(".")[1] == module.split(".")[1])


def sources() -> tuple[dict[str, str], set[str]]:
    """Every module's source by its name, and which of them are packages."""
    found, packages = {}, set()
    for path in PACKAGE.rglob("*.py"):
        parts = ("labkit", *path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts = parts[:-1]
            packages.add(".".join(parts))
        found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found, packages


def test_no_import_points_up() -> None:
    found, packages = sources()
    order = layers(labkit.__doc__ or "")
    assert {"kernel/", "scene", "xray", "view, ui/", "cli/"} <= set(order)
    assert against_the_flow(found, order, packages) == []


def test_every_line_of_the_map_is_a_module() -> None:
    named = [name for entry in layers(labkit.__doc__ or "") for name in entry.split(", ")]
    assert [n for n in named if not (PACKAGE / n).is_dir() and not (PACKAGE / f"{n}.py").exists()] == []


def test_an_import_against_the_flow_is_found_wherever_it_hides() -> None:
    order = ["kernel/", "scene", "room", "cli/"]
    planted = {
        "labkit.scene": "def f():\n    from labkit.room import in_room",
        "labkit.kernel.proc": "from labkit import scene",
        "labkit.kernel.pipes": "from ..scene import Scene",
        "labkit.room": "import labkit.cli.doctor",
        "labkit.kernel.sysv": "from labkit import LabError",
        "labkit.new": "",
    }
    assert len(against_the_flow(planted, order, set())) == len(planted)
    innocent = {
        "labkit.scene": "from labkit.errors import LabError\nfrom labkit.kernel import proc",
        "labkit.kernel.proc": "from labkit.kernel import syscalls\nfrom . import syscalls",
        "labkit.room": "from labkit import __version__\nif TYPE_CHECKING:\n    from labkit.cli import main",
        "labkit.cli.doctor": "from labkit import __version__, room",
    }
    assert against_the_flow(innocent, order, set()) == []


def test_import_labkit_is_light() -> None:
    """It loads no library but Python's own; what that costs in time is in benchmarks/import.py."""
    code = "import sys; before = set(sys.modules); import labkit; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert loaded - {"labkit"} <= sys.stdlib_module_names
    assert not loaded & {"asyncio", "subprocess", "ctypes", "inspect", "multiprocessing", "socket"}
