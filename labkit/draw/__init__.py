"""A scene as text: what one would sketch on paper, in 80 columns. Pure.

Pictures (`dot`, `svg`) are drawn by `picture` from the same words, and offered here too; so are those of
a film (`film`) and of what `explore` found (`outcomes`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.draw.columns import columns, cut
from labkit.draw.doing import describe, doing, is_plain, open_end, pages, plain_word
from labkit.draw.labels import Label, holders, label
from labkit.draw.sketch import is_shown
from labkit.scene import AnyObject, Descriptor, File, Mapping, Pipe, Process, Scene, Wait
from labkit.words import count, listing, name, printable

if TYPE_CHECKING:
    from labkit.draw.figures import figure
    from labkit.draw.filmsvg import draw as film
    from labkit.draw.outcomesvg import draw as outcomes
    from labkit.draw.picture import dot, svg

__all__ = ["describe", "dot", "figure", "film", "outcomes", "svg", "text"]

WIDTH = 80
_AMOUNT = re.compile(r"[\d.]+ (?:µs|ms|s|min|h)\b|\S+")
"""A word; a span of time is not torn from its unit."""
_BAR = 20
_ENDS = 40
_PID_DIGITS = 7
_ROW_LINES = 4
"""So many lines a row of an object's facts may take."""


def __getattr__(attribute: str) -> object:
    """What needs graphviz is loaded when it is asked for."""
    if attribute == "figure":
        from labkit.draw.figures import figure

        return figure
    if attribute in ("dot", "svg"):
        from labkit.draw import picture

        return getattr(picture, attribute)
    if attribute in ("film", "outcomes"):
        from labkit.draw import filmsvg, outcomesvg

        return filmsvg.draw if attribute == "film" else outcomesvg.draw
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def text(scene: Scene, *, times: bool = True) -> str:
    """The scene in words and bars, readable in 80 columns; without `times`, how long is left out."""
    return "\n\n".join(part for part in paragraphs(scene, times) if part) or "Nothing to see: no process."


def paragraphs(scene: Scene, times: bool = True) -> tuple[str, str, str, str, str]:
    """The text in its parts: processes, objects, waits, findings, limits."""
    limits = [f"{limit.what}: {limit.because}" for limit in scene.limits]
    return (
        "\n".join(line for process in scene.processes for line in _process(process, scene, times)),
        "\n".join(line for o in scene.objects if is_shown(o, scene) for line in _object(o, scene)),
        "\n".join(_waits(scene)),
        "\n".join(line for found in scene.deadlocks for line in _wrapped("DEADLOCK ", found.because)),
        "\n".join(line for limit in limits for line in _wrapped("not visible here:", limit)),
    )


def _wrapped(start: str, words: str, then: str = " ") -> list[str]:
    """A sentence over as many lines as it needs; a word too long for a line is cut."""
    lines = [start]
    for word in _AMOUNT.findall(printable(words)):
        if columns(lines[-1]) + 1 + columns(word) > WIDTH:
            lines.append(then)
        lines[-1] += f" {word}"
    return [_cut(line) for line in lines]


# --- processes --------------------------------------------------------------------------------------


def _process(process: Process, scene: Scene, times: bool) -> list[str]:
    lines = _who_does(process, doing(process, scene, times))
    if len(process.threads) > 1:
        lines += [
            _cut(f"    thread tid {t.tid}: {doing(t, scene, times)}")
            for t in process.threads
            if t.tid != process.pid
        ]
    if process.state in ("zombie", "dead"):
        return lines
    if process.descriptors is None and process.mappings is None:
        return [*lines, "    what it has open and in memory is not visible here", *_signals(process)]
    return lines + _descriptors(process, scene) + _memory(process, scene) + _signals(process)


def _who_does(process: Process, what: str) -> list[str]:
    """Where a line ends does not depend on how many digits the pid has: it differs from run to run."""
    start = f"{printable(process.name)} ({process.pid})"
    longest = start + "0" * (_PID_DIGITS - len(str(process.pid)))
    lines = _wrapped(longest + " ", what, " " * 5)
    return [_cut(lines[0].replace(longest, start, 1)), *lines[1:]]


def _descriptors(process: Process, scene: Scene) -> list[str]:
    if process.descriptors is None:
        return ["    its descriptors are not visible here"]
    plain: dict[str, list[int]] = {}
    ends = []
    for held in process.descriptors:
        object = scene.object(held.object)
        if object is not None and is_plain(object):
            plain.setdefault(plain_word(object), []).append(held.fd)
        else:
            ends.append(open_end(held, scene) + _shared(held, process, scene))
    if len(ends) > _ENDS:
        ends = [*ends[:_ENDS], f"… and {len(ends) - _ENDS:,} more"]
    ends += [f"{' '.join(map(str, fds[:_ENDS]))} {word}" for word, fds in plain.items()]
    return _columns(ends)


def _shared(held: Descriptor, process: Process, scene: Scene) -> str:
    """Who else has this open file description: for files, where a shared offset surprises people."""
    if held.description is None or not isinstance(scene.object(held.object), File):
        return ""
    same = [
        f"{printable(other.name)} ({row.fd})"
        for other in scene.processes
        for row in other.descriptors or ()
        if row.description == held.description and (other.pid, row.fd) != (process.pid, held.fd)
    ]
    return f", one offset with {listing(same, most=3)}" if same else ""


def _columns(items: list[str]) -> list[str]:
    """Short items side by side, in lines of at most `WIDTH`."""
    lines: list[str] = []
    for item in items:
        if lines and columns(lines[-1]) + 3 + columns(item) <= WIDTH:
            lines[-1] += "   " + item
        else:
            lines.append("    " + item)
    return [_cut(line) for line in lines]


def _memory(process: Process, scene: Scene) -> list[str]:
    if process.mappings is None:
        return ["    its memory map is not visible here"]
    return [_cut(f"    {_mapping(mapping, scene)}") for mapping in process.mappings]


def _mapping(mapping: Mapping, scene: Scene) -> str:
    how = "shared" if mapping.shared else "private"
    said = f"memory {mapping.prot} {how} of {printable(mapping.object)}, {count(mapping.size, 'byte')}"
    if mapping.pages is None:
        return f"{said}, pages not visible here"
    return f"{said}  {pages(mapping.pages)}".rstrip()


def _signals(process: Process) -> list[str]:
    """Signals worth a line: not those that every Python program catches or ignores."""
    if process.signals is None:
        return []
    sets = [
        ("pending", process.signals.pending),
        ("blocked", process.signals.blocked),
        ("caught", tuple(s for s in process.signals.caught if s not in ("SIGINT", "SIG32", "SIG33"))),
        ("ignored", tuple(s for s in process.signals.ignored if s not in ("SIGPIPE", "SIGXFSZ"))),
    ]
    words = [f"{kind} {listing(list(names), most=6)}" for kind, names in sets if names]
    return [_cut(f"    signals {'; '.join(words)}")] if words else []


# --- objects ----------------------------------------------------------------------------------------


def _object(object: AnyObject, scene: Scene) -> list[str]:
    said = label(object, scene)
    lines = [_cut("  ".join(word for word in (said.title, _bar(said), said.amount) if word))]
    if said.about:
        lines.insert(0, _cut(f"{said.title}  {said.about}"))
        lines[1] = _cut("    " + "  ".join(word for word in (_bar(said), said.amount) if word))
    if said.content:
        lines.append(_cut(f"    {said.content}"))
    if isinstance(object, Pipe):
        lines += _flow(object, scene)
    return [line for line in [*lines, *_rows(said.rows)] if line.strip()]


def _rows(rows: Sequence[str]) -> list[str]:
    """What is said of an object, a line each; what takes more goes on below, indented."""
    lines: list[str] = []
    for row in rows:
        fits = 4 + columns(printable(row)) <= WIDTH
        lines += [f"    {printable(row)}"] if fits else _some(_wrapped("   ", row, " " * 5))
    return lines


def _some(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _ROW_LINES else [*lines[:_ROW_LINES], " " * 6 + "…"]


def _bar(said: Label) -> str:
    if said.level is None:
        return ""
    return bar(*said.level)


def bar(part: int, whole: int, width: int = _BAR) -> str:
    """A level, drawn: something is never drawn as nothing, and not quite full never as full."""
    filled = round(width * part / whole) if whole else 0
    if part > 0:
        filled = max(filled, 1)
    if part < whole:
        filled = min(filled, width - 1)
    return "█" * min(filled, width) + "░" * (width - filled)


def _flow(pipe: Pipe, scene: Scene) -> list[str]:
    """`parent (4) ▸ pipe-1 ▸ child (3)`."""
    writers, readers = holders(pipe.writers, scene), holders(pipe.readers, scene)
    if not (writers or readers):
        return []
    left, right = listing(writers, most=4) or "nobody", listing(readers, most=4) or "nobody"
    return [_cut(f"    {left} ▸ {printable(pipe.id)} ▸ {right}")]


# --- waits ------------------------------------------------------------------------------------------


def _waits(scene: Scene) -> list[str]:
    lines = [_cut(_wait(wait, scene)) for wait in scene.waits if wait.for_]
    return list(dict.fromkeys(lines))


def _wait(wait: Wait, scene: Scene) -> str:
    whom = [name(pid, scene) if pid != wait.pid else _self(wait, scene) for pid in wait.for_]
    thing = f" ({printable(wait.object)})" if wait.object else ""
    return f"{name(wait.pid, scene)} waits for {listing(whom, 'or')}{thing}"


def _self(wait: Wait, scene: Scene) -> str:
    process = scene.process(wait.pid)
    return "one of its own threads" if process and len(process.threads) > 1 else "itself"


def _cut(line: str) -> str:
    """One line that fits, with nothing in it that a terminal would obey."""
    return cut(printable(line), WIDTH)
