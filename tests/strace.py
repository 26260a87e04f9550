"""What strace says a program did: for each process, in the order of forks, its calls and results."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.film import Film
from labkit.kernel.calls import CALLS

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\w+|\?)(?: (E\w+))?")
_UNFINISHED = re.compile(r"^(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
MAKES = ("clone", "clone3", "fork", "vfork")

Story = dict[tuple[int, ...], list[tuple[str, object]]]
"""By path of creation: (name, result), where a result that differs from run to run is `ok`."""


def traced(argv: Sequence[str], **options: object) -> Story:
    """Run a command under strace."""
    with tempfile.NamedTemporaryFile(mode="r", suffix=".strace") as log:
        names = ",".join(sorted(set(CALLS) - {"restart_syscall", "rt_sigreturn"}))
        command = ["strace", "-f", "-qq", "-o", log.name, "-e", f"trace={names}", "--", *argv]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=60, **options)  # type: ignore[call-overload]
        return _story(Path(log.name).read_text(errors="replace"))


def of_film(film: Film) -> Story:
    """The same of a film with `all_calls`."""
    paths: dict[str, tuple[int, ...]] = {}
    story: Story = {}
    children: dict[tuple[int, ...], int] = {}
    for frame in film.frames:
        path = paths.setdefault(frame.who, (0,))
        if frame.call is None or frame.blocked or frame.call == "rt_sigreturn":
            continue
        story.setdefault(path, []).append((frame.call, result(frame.call, frame.result)))
        if frame.call in MAKES and (frame.result or -1) > 0 and " = " in frame.text:
            child = frame.text.rsplit(" = ", 1)[1]
            children[path] = children.get(path, 0) + 1
            paths[child] = (*path, children[path])
    return story


def result(name: str, value: int | None) -> object:
    if value is None or -4096 < value < 0:
        return value
    kind = CALLS[name].result
    return "ok" if kind in ("pid", "addr", "shmid", "semid", "msqid") or name == "alarm" else value


def _story(text: str) -> Story:
    paths: dict[str, tuple[int, ...]] = {}
    children: dict[tuple[int, ...], int] = {}
    halves: dict[tuple[str, str], str] = {}
    rows: list[tuple[str, str, object, str]] = []
    for line in text.splitlines():
        found = _LINE.match(line)
        assert found, line
        pid, rest = found.groups()
        if unfinished := _UNFINISHED.match(rest):
            halves[pid, unfinished[1]] = unfinished[2]
            continue
        if resumed := _RESUMED.match(rest):
            rest = f"{resumed[1]}({halves.pop((pid, resumed[1]), '')}{resumed[2]}"
        call = _CALL.match(rest)
        if call and not _private_memory(call[1], call[2]):
            rows.append((pid, call[1], _value(call[3], call[4]), rest))
    for pid, name, value, _ in rows:
        path = paths.setdefault(pid, (0,)) if not paths else paths.get(pid)
        if name in MAKES and isinstance(value, int) and value > 0:
            owner = paths[pid]
            children[owner] = children.get(owner, 0) + 1
            paths[str(value)] = (*owner, children[owner])
        del path
    story: Story = {}
    for pid, name, value, _ in rows:
        if value == "restart":
            continue
        shown = result(name, value) if isinstance(value, int) else value
        story.setdefault(paths[pid], []).append((name, shown))
    return story


def _private_memory(name: str, arguments: str) -> bool:
    return name == "mmap" and "MAP_SHARED" not in arguments and bool(re.search(r", -1, 0x?\d*$", arguments))


def _value(text: str, error: str | None) -> object:
    import errno

    if text == "?":
        return "restart" if error and error.startswith("ERESTART") else None
    if error:
        return "restart" if error.startswith("ERESTART") else -getattr(errno, error)
    return int(text, 0)
