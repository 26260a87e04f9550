"""Why this machine would not show something, in words, with what would help."""

from __future__ import annotations

import errno
import os

from labkit.kernel import rights


class Refusals:
    """What was refused in one look: said once for each reason, with the names of all it concerns."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def add(self, what: str, name: str, uid: int | None, error: OSError, attach: bool) -> None:
        """One more refusal."""
        names = self._names.setdefault((what, because(uid, error, attach)), [])
        if name not in names:
            names.append(name)

    def said(self) -> list[tuple[str, str]]:
        """(what is missing, and of whom; why)."""
        return [(f"{what} of {_listed(names)}", why) for (what, why), names in self._names.items()]


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def because(uid: int | None, error: OSError, attach: bool) -> str:
    """Why a process of user `uid` refused, and what to do about it."""
    if error.errno == errno.ENOSYS:
        return f"this kernel, or a container's filter, does not have {error.filename or 'the call'}"
    if uid is not None and uid != os.geteuid() and not rights.looks_into_everybody():
        return (
            f"it belongs to {_user(uid)} and you are {_user(os.geteuid())}: look as that user, or with sudo"
        )
    if not rights.allowed(str(error.filename or "")):
        return f"a filter (seccomp, as containers have) refuses {error.filename} here"
    scope = rights.yama_scope()
    if attach and scope and not rights.looks_into_everybody():
        return (
            f"Yama's ptrace_scope is {scope}, so that only a program's ancestors may look inside it: "
            "run labkit with sudo"
        )
    if attach and scope == 3:
        return "Yama's ptrace_scope is 3, which forbids it to everybody until the next boot"
    return (
        f"the kernel refuses ({os.strerror(error.errno or 0)}): it has more rights than you, or hides itself"
    )


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
