"""How calls, amounts and names are said: one wording for sentences, texts and pictures. Pure."""

from __future__ import annotations

import os
import signal
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.scene import Blocked, Scene

READS = frozenset({"read", "readv", "pread", "preadv", "preadv2", "recv", "recvfrom", "recvmsg", "recvmmsg"})
WRITES = frozenset(
    {"write", "writev", "pwrite", "pwritev", "pwritev2", "send", "sendto", "sendmsg", "sendmmsg", "sendfile"}
)
MOVES = frozenset({"splice", "tee", "vmsplice"})
"""Calls that read or write: the descriptor that they wait on tells."""
CHOICES = frozenset(
    {"poll", "ppoll", "select", "pselect", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"}
)
"""Calls that end as soon as one of several descriptors is ready."""
CHILDREN = frozenset({"wait", "waitpid", "wait3", "wait4", "waitid", "vfork"})
SEMAPHORES = frozenset({"semop", "semtimedop"})
ANY_SIGNAL = frozenset({"pause", "rt_sigsuspend", "sigsuspend"})
"""Calls that end when a handler has run."""
SIGNALS = ANY_SIGNAL | {"rt_sigtimedwait", "sigwait", "sigwaitinfo"}
SLEEPS = frozenset({"nanosleep", "clock_nanosleep", "sleep", "usleep"})

EMPTY_MESSAGE = "a message of 0 bytes is the first to be received"
"""A note: without it, an empty message and none would look the same."""

_ABOUT = {
    "accept": "for a connection", "accept4": "for a connection", "connect": "to be connected",
    "msgrcv": "for a message", "mq_receive": "for a message", "mq_timedreceive": "for a message",
    "msgsnd": "for room", "mq_send": "for room", "mq_timedsend": "for room",
    "open": "for the other end", "openat": "for the other end",
}  # fmt: skip


def call(blocked: Blocked) -> str:
    """The call as a programmer would write it: `read(3)`, `semop`, `poll(3, 5)`."""
    inside = [str(watched.fd) for watched in blocked.on]
    if not inside and blocked.fd is not None:
        inside = [str(blocked.fd)]
    if len(inside) > 6:
        inside = [*inside[:5], "…"]
    return f"{blocked.call}({', '.join(inside)})" if inside else blocked.call


def about(blocked: Blocked) -> str:
    """What the call waits for where its object does not say it: `for a message`; or nothing."""
    if blocked.call in ("open", "openat") and blocked.object is None:
        return ""
    return _ABOUT.get(blocked.call, "")


def name(pid: int, scene: Scene) -> str:
    """A process's name, printable; its pid where it is not in the picture."""
    process = scene.process(pid)
    return printable(process.name) if process else f"process {pid}"


def quoted(pid: int, scene: Scene) -> str:
    """A process's name as it stands in a sentence: in backquotes."""
    return f"`{name(pid, scene)}`"


def listing(words: list[str], last: str = "and", most: int = 5) -> str:
    """`a`, `a and b`, `a, b and c`; what is beyond `most` is counted."""
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 byte`, `2 bytes`, `65,536 bytes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(ns: int) -> str:
    """A span of time as one would say it: `12 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = max(ns, 0) / 1e9
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{min(seconds, 59.9):.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


def signal_name(number: int) -> str:
    """`SIGKILL`; `signal 40` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - 34}" if 34 <= number <= 64 else f"signal {number}"


def printable(text: str, most: int | None = None) -> str:
    """Text from elsewhere, safe in one line: control characters and the like are spelled out."""
    safe = "".join(c if _plain(c) else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return safe if most is None or len(safe) <= most else safe[: most - 1] + "…"


def place(path: str, most: int | None = None) -> str:
    """A path or an abstract name in one line, without what is another in every notebook."""
    return printable(shortened(path), most)


def shortened(path: str) -> str:
    """A path or an abstract name without what is another in every notebook.

    `…/door` lies in the notebook's scratch folder; `@/labkit-…-door` is of its own names.
    """
    folder = os.environ.get("LABKIT_SCRATCH", "").rstrip("/")
    if folder and path.startswith(f"{folder}/"):
        path = "…" + path[len(folder) :]
    if scope := os.environ.get("LABKIT_SCOPE"):
        path = path.replace(f"/labkit-{scope}-", "/labkit-…-")
    return path


def _plain(character: str) -> bool:
    return character == " " or (character.isprintable() and unicodedata.category(character) != "Zs")


def content(head: bytes, most: int = 40) -> str:
    """Bytes as one would show them: quoted text where they are text, hexadecimal where they are not.

    What a C program has written ends with zeros: `"hello\\0"`, and `"hello\\0…"` where there are more.
    """
    plain = head.rstrip(b"\0")
    zeros = len(head) - len(plain)
    if zeros and len(plain) >= _SHORTEST_STRING and (said := content(plain, most - 3)).startswith('"'):
        return said if said.endswith('…"') else f'{said[:-1]}\\0{"…" * (zeros > 1)}"'
    try:
        text: str | None = _whole_characters(head).decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and all(_plain(c) or c in "\n\t\r" for c in text):
        spelled = "".join({"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c, c) for c in text)
        return f'"{_cut(spelled, most - 2)}"'
    return _cut(head.hex(" "), most)


_SHORTEST_STRING = 4
"""Fewer letters before a zero may as well be a number."""


def _whole_characters(head: bytes) -> bytes:
    """Without a UTF-8 character that was cut in two at the end."""
    for back in range(1, min(4, len(head)) + 1):
        byte = head[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return head[:-back] if length > back else head
        if byte < 0x80:
            break
    return head


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(most - 1, 1)] + "…"
