"""What strace says a program did: for each process, in the order of forks, its calls and results."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.film import Film
from labkit.kernel.calls import CALLS

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\w+|\?)(?:<[^>]*>)?(?: (E\w+))?")
_UNFINISHED = re.compile(r"^(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_OUTPUT = re.compile(r"^(write|writev|pwrite64|sendfile|splice|tee)\(\d+</dev/(pts/\d+|tty)>")
MAKES = ("clone", "clone3", "fork", "vfork")

Story = dict[tuple[int, ...], list[tuple[str, object]]]
"""By path of creation: (name, result), where a result that differs from run to run is `ok`."""


def traced(argv: Sequence[str]) -> Story:
    """Run a command under strace, with a terminal for its output."""
    with tempfile.NamedTemporaryFile(mode="r", suffix=".strace") as log:
        names = ",".join(sorted(set(CALLS) - {"restart_syscall", "rt_sigreturn"}))
        command = ["strace", "-f", "-y", "-qq", "-o", log.name, "-e", f"trace={names}", "--", *argv]
        master, slave = os.openpty()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.dup2(slave, 1)
            os.dup2(slave, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.closerange(3, 65536)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)
        os.close(slave)
        _drain(master)
        os.waitpid(pid, 0)
        os.close(master)
        return _story(Path(log.name).read_text(errors="replace"))


def _drain(master: int) -> None:
    while True:
        try:
            if not os.read(master, 65536):
                return
        except OSError:
            return


def of_film(film: Film) -> Story:
    """The same of a film with `all_calls`."""
    paths: dict[str, tuple[int, ...]] = {}
    story: Story = {}
    children: dict[tuple[int, ...], int] = {}
    waiting: list[tuple[int, ...]] = []
    for frame in film.frames:
        if paths and frame.who not in paths:
            owner = waiting[-1]
            children[owner] = children.get(owner, 0) + 1
            paths[frame.who] = (*owner, children[owner])
        path = paths.setdefault(frame.who, (0,))
        if frame.call in MAKES and frame.blocked:
            waiting.append(path)
        if frame.call is None or frame.blocked or frame.call == "rt_sigreturn":
            continue
        story.setdefault(path, []).append((frame.call, result(frame.call, frame.result)))
        if frame.call in MAKES and (frame.result or -1) > 0 and " = " in frame.text:
            child = frame.text.rsplit(" = ", 1)[1]
            if child not in paths:
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
        if call and not _private_memory(call[1], call[2]) and not _OUTPUT.match(rest):
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
