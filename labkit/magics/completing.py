"""Names of programs complete where a name is wanted: `labkit.stop("wr` and `%run_program wr`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

_IN_CALL = re.compile(
    r"""\b(?:stop|wait|kill|pause|resume|watch|film|explore)\([^()]*(["'])(?P<start>[^"'()]*)$"""
)
_IN_MAGIC = re.compile(r"^\s*%(?P<magic>run_program|stop|kill|pause|resume)\s+(?:.*\s)?(?P<start>[^\s]*)$")


def load(shell: Any, programs: Callable[[], Iterable[str]], definitions: Callable[[], Iterable[str]]) -> None:
    """Let this shell complete the names of programs, and of what cells have defined."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="labkit")  # type: ignore[untyped-decorator]
    def matcher(context: Any) -> Any:
        known = {*programs(), *definitions()}
        found = names(context.line_with_cursor[: context.cursor_position], known)
        return {"completions": [SimpleCompletion(text=context.token + rest) for rest in found]}

    completer = shell.Completer
    completer.custom_matchers = [m for m in completer.custom_matchers if not _is_ours(m)] + [matcher]


def unload(shell: Any) -> None:
    """Take it back."""
    shell.Completer.custom_matchers = [m for m in shell.Completer.custom_matchers if not _is_ours(m)]


def names(line: str, known: Iterable[str]) -> list[str]:
    """What could follow this line, up to the cursor, to make a name whole."""
    found = _IN_CALL.search(line) or _IN_MAGIC.search(line)
    if not found:
        return []
    start = found["start"]
    return sorted(name[len(start) :] for name in known if name.startswith(start) and name != start)


def _is_ours(matcher: Any) -> bool:
    return getattr(matcher, "matcher_identifier", "") == "labkit"
