"""`labkit doctor`: what this machine can show, and what to do about what it can't."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from labkit.errors import LabError, NotVisible
from labkit.kernel import rights


class Finding(NamedTuple):
    """One line of the table."""

    what: str
    fine: bool
    good_for: str
    advice: str = ""
    """Why it is missing, and what to do."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plain", action="store_true", help="one line for each finding, for a report")


def run(options: argparse.Namespace) -> int:
    """Always 0: a machine that shows less is no error."""
    findings = list(_findings())
    if options.plain:
        for finding in findings:
            print(
                f"{'yes' if finding.fine else 'no ':3}  {finding.what}: {finding.advice or finding.good_for}"
            )
    else:
        _table(findings)
    missing = [finding.what for finding in findings if not finding.fine]
    print(f"Missing here: {', '.join(missing)}." if missing else "Everything can be shown here.")
    return 0


def _table(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    machine = f"Linux {platform.release()}, {platform.machine()}, Python {platform.python_version()}"
    user = f"user {os.geteuid()}{' (root)' if os.geteuid() == 0 else ''}"
    table = Table(title=f"What this machine can show\n{machine}, {user}", title_justify="left")
    table.add_column("")
    table.add_column("what", style="bold", overflow="fold")
    table.add_column("what it is for, or what to do", overflow="fold")
    for finding in findings:
        mark = "[green]yes[/]" if finding.fine else "[red]no[/]"
        text = f"[dim]{finding.good_for}[/]"
        if finding.advice:
            text = f"{finding.good_for}\n[yellow]{_plain(finding.advice)}[/]"
        table.add_row(mark, _plain(finding.what), text)
    console.print(table)


def _plain(text: str) -> str:
    """Without a meaning for rich."""
    return text.replace("[", "\\[")


def _findings() -> Iterator[Finding]:
    yield from _kernel()
    yield _sockets()
    yield _strangers()
    yield _other_users()
    yield _room()
    yield _second_user()
    yield _semaphore_timeouts()
    yield from _programs()


# --- the kernel -------------------------------------------------------------------------------------

_ADVICE = {
    "pidfd_getfd": "pipes are opened through /proc/PID/fd instead, and sockets asked for by sock_diag; "
    "in Docker, allow it with --cap-add SYS_PTRACE",
    "kcmp": "open file descriptions are not told apart; in Docker, allow it with --cap-add SYS_PTRACE",
    "process_vm_readv": "sets of poll and select stay unknown; in Docker, allow it with --cap-add SYS_PTRACE",
    "/proc/PID/syscall": "what processes wait in stays unknown",
    "/proc/PID/task/TID/children": "children are found by reading all of /proc, more slowly",
    "/proc/PID/schedstat": "the counters of `status` are used instead",
}


def _kernel() -> Iterator[Finding]:
    for ability in rights.capabilities():
        if ability.error is None:
            yield Finding(ability.name, True, ability.shows)
        else:
            why = f"refused here ({ability.error.strerror})"
            advice = _ADVICE.get(ability.name)
            yield Finding(ability.name, False, ability.shows, f"{why}: {advice}" if advice else why)


def _sockets() -> Finding:
    good_for = "both ends of sockets, their queues and backlogs"
    try:
        from labkit.kernel.sock_diag import SockDiag

        with SockDiag.of(os.getpid()):
            return Finding("sock_diag", True, good_for)
    except (NotVisible, OSError) as error:
        return Finding("sock_diag", False, good_for, f"{error}; /proc/net is read instead, which says less")


def _strangers() -> Finding:
    what, good_for = "strangers", "looking into programs that were started elsewhere (labkit xray PID)"
    scope = rights.yama_scope()
    if scope == 0 or (rights.looks_into_everybody() and scope < 3):
        return Finding(what, True, good_for)
    advice = (
        f"Yama's ptrace_scope is {scope}: what a notebook starts is shown, of others not what they wait for "
        "nor what is in their pipes. Run labkit xray with sudo, or: sudo sysctl kernel.yama.ptrace_scope=0"
    )
    return Finding(what, False, good_for, advice)


def _other_users() -> Finding:
    good_for = "looking into the programs of other users"
    if rights.looks_into_everybody():
        return Finding("other users", True, good_for)
    advice = "it takes the right to ptrace them (CAP_SYS_PTRACE): run labkit xray with sudo"
    return Finding("other users", False, good_for, advice)


# --- what stands beside it --------------------------------------------------------------------------


def _room() -> Finding:
    from labkit.room import inside, why_no_room

    good_for = "a notebook's programs among themselves: own pids, own IPC objects, nothing left behind"
    if inside():  # a room within a room is more than a notebook needs
        return Finding("rooms", True, "this is one: own pids, own IPC objects, nothing left behind")
    why = why_no_room()
    return Finding("rooms", why is None, good_for, why or "")


def _second_user() -> Finding:
    from labkit import room

    what, good_for = "a second user", "lessons on permissions (--as-other-user)"
    if room.inside():
        why: str | None = os.environ.get(room.ONE_USER)
    elif room.why_no_room() is not None:
        why = None if os.geteuid() == 0 else "without a room, only root may change users"
    else:
        why = _why_no_second_user()
    return Finding(what, why is None, good_for, why or "")


def _why_no_second_user() -> str | None:
    from labkit import room

    try:
        os.close(room.users())
    except (LabError, OSError) as error:
        return str(error)
    return None


def _semaphore_timeouts() -> Finding:
    what, good_for = "sysv_ipc with timeouts", "acquire(timeout=…) of System V semaphores"
    try:
        import sysv_ipc
    except ImportError as error:
        return Finding(what, False, good_for, f"{error}: make setup installs it")
    if sysv_ipc.SEMAPHORE_TIMEOUT_SUPPORTED:
        return Finding(what, True, good_for)
    advice = "built without semtimedop: a timeout would wait for ever. Run: pip install --force-reinstall "
    return Finding(what, False, good_for, advice + "--no-binary sysv_ipc sysv_ipc (needs gcc)")


_PROGRAMS = {
    "gcc": (("gcc",), "cells in C (%%c)", "sudo apt install gcc libc6-dev"),
    "dot": (
        ("dot",),
        "pictures laid out by graphviz; without it labkit draws its own",
        "sudo apt install graphviz",
    ),
    "chromium": (
        ("chromium", "chromium-browser", "google-chrome"),
        "only the tests in a browser",
        "sudo apt install chromium",
    ),
}  # fmt: skip


def _programs() -> Iterator[Finding]:
    for name, (commands, good_for, install) in _PROGRAMS.items():
        found = any(shutil.which(command) for command in commands)
        yield Finding(name, found, good_for, "" if found else f"not installed: {install}")
