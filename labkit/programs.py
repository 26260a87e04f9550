"""A cell's source -> a command: the program, its arguments, environment and folder.

A `Command` is all that is needed to start the program, once or ten times, by anybody: the supervisor,
a film, an exercise's check. Line numbers are the cell's, where the line with the magic is line 1.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from labkit import names
from labkit.compiler import CompileError, compiled
from labkit.errors import LabError

__all__ = ["Command", "CompileError", "c", "environment", "python", "shell"]

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")


@dataclass(frozen=True)
class Command:
    """A program ready to be started."""

    argv: tuple[str, ...]
    name: str = ""
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment, not additions to one."""
    language: str = ""
    """`python`, `c` or `shell`."""
    source: str = ""
    label: str = ""
    """What a traceback calls the source: `cell [3]`."""
    first_line: int = 1
    """The cell's line that the source begins with."""
    warnings: str = ""
    """What the compiler had to say, although it compiled."""


def python(
    source: str,
    *,
    name: str = "program",
    args: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    label: str = "",
    first_line: int = 1,
    interpreter: str = sys.executable,
) -> Command:
    """The command that runs Python source as a program of its own."""
    label = label or name
    file = _written("\n" * (first_line - 1) + source, name, ".py")
    argv = (interpreter, LAUNCHER, file, label, name, *args)
    return _command(argv, "python", source, name, env, cwd, label, first_line)


def shell(
    source: str,
    *,
    name: str = "program",
    args: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    label: str = "",
    first_line: int = 1,
) -> Command:
    """The command that runs shell source with bash, or with sh where there is no bash."""
    bash = shutil.which("bash") or "/bin/sh"
    argv = (bash, "-c", source, name, *args)
    command = _command(argv, "shell", source, name, env, cwd, label or name, first_line)
    return replace(command, env={**command.env, **_SHELL_FUNCTIONS})


def c(
    source: str,
    *,
    name: str = "program",
    args: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    label: str = "",
    first_line: int = 1,
    flags: Iterable[str] = (),
) -> Command:
    """Compile C source (once for each content) and give the command that runs it."""
    label = label or name
    binary, warnings = compiled(source, name, label, first_line, tuple(flags))
    command = _command((binary, *args), "c", source, name, env, cwd, label, first_line)
    return replace(command, warnings=warnings)


def as_other_user(command: Command) -> Command:
    """The same command for a user who may not read the notebook's files."""
    if command.language != "python":
        return command
    python, _, file, *rest = command.argv
    with open(file, encoding="utf-8") as written, open(LAUNCHER, encoding="utf-8") as launcher:
        env = {**command.env, "LABKIT_SOURCE": written.read()}
        argv = (_python_of_everybody(python), "-c", launcher.read(), "-", *rest)
    return replace(command, argv=argv, env=env)


def _python_of_everybody(python: str) -> str:
    """An interpreter that every user can start: this one, or the system's when this one lies in a home."""
    folder = os.path.dirname(os.path.realpath(python))
    while folder != "/":
        if not os.stat(folder).st_mode & 0o001:
            return shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or python
        folder = os.path.dirname(folder)
    return python


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment a program starts with: the notebook's, less Jupyter's own plumbing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_PLUMBING)}
    kept["TERM"] = "dumb"
    kept[names.SCOPE] = names.scope()
    kept[names.SCRATCH] = os.environ.get(names.SCRATCH) or names.folder()
    kept["LABKIT_PREFIX"] = f"/labkit-{names.scope()}-"
    kept["LABKIT_KEY_PREFIX"] = str(names.key_prefix(names.scope()))
    return {**kept, **(changes or {})}


_PLUMBING = ("JPY_", "JUPYTER_SERVER", "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "PYDEVD_", "CLICOLOR",
             "FORCE_COLOR", "PAGER", "GIT_PAGER", "MPLBACKEND", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES",
             "PYTHONUNBUFFERED")  # fmt: skip


def _command(
    argv: tuple[str, ...],
    language: str,
    source: str,
    name: str,
    env: Mapping[str, str] | None,
    cwd: str | None,
    label: str,
    first_line: int,
) -> Command:
    folder = os.path.abspath(os.path.expanduser(cwd or os.curdir))
    if not os.path.isdir(folder):
        raise LabError(f"There is no folder {folder} for {name} to work in.")
    return Command(
        argv=argv,
        name=name,
        cwd=folder,
        env=environment(env),
        language=language,
        source=source,
        label=label,
        first_line=first_line,
    )


def _written(text: str, name: str, ending: str) -> str:
    """The path of a file with this text, in the scratch folder."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:40]
    folder = os.path.join(names.folder(), "sources")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{stem}-{digest}{ending}")
    if not os.path.exists(path):
        _write_whole(path, text.encode())
    return path


def _write_whole(path: str, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    new = f"{path}.{os.getpid()}.new"
    with open(new, "wb") as file:
        file.write(data)
    os.replace(new, path)


_SHELL_FUNCTIONS = {
    "BASH_FUNC_labkit_name%%": """() { printf '%s%s\\n' "$LABKIT_PREFIX" "$1"; }""",
    "BASH_FUNC_labkit_path%%": """() { printf '%s/%s\\n' "$LABKIT_SCRATCH" "$1"; }""",
    "BASH_FUNC_labkit_key%%": """() { local LC_ALL=C h=$((0xCBF29CE484222325)) i c t=$LABKIT_SCOPE
  for ((i = 0; i < ${#t}; i++)); do printf -v c %d "'${t:i:1}"; ((h = (h ^ c) * 0x100000001B3)); done
  ((h *= 0x100000001B3)); t=$1
  for ((i = 0; i < ${#t}; i++)); do printf -v c %d "'${t:i:1}"; ((h = (h ^ c) * 0x100000001B3)); done
  printf '%d\\n' $((LABKIT_KEY_PREFIX << 20 | (h ^ (h >> 32 & 0xFFFFFFFF)) & 0xFFFFF)); }""",
}
"""What bash takes as functions from its environment: `$(labkit_name counter)` and so on."""
