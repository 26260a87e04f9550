"""The line of a cell that is a program: `%%program [NAME] [--args …] … [&]`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from labkit.errors import LabError

_NAME = re.compile(r"[^\W\d][\w.-]{0,39}")

_WITH_A_VALUE = ("--env", "--stdin", "--timeout", "--cwd", "--slow")


@dataclass
class Options:
    """What the line says."""

    name: str | None = None
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    stdin: str | None = None
    timeout: float | None = None
    cwd: str | None = None
    save: bool = False
    step: bool = False
    """Stand still before each call until told who goes."""
    slow: float | None = None
    """Seconds to wait before each call."""
    other_user: bool = False
    background: bool = False


def usage(magic: str) -> str:
    """All that can be said."""
    return (
        f"{magic} [NAME] [--args …] [--env K=V] [--stdin TEXT] [--timeout S] [--cwd DIR] [--save] "
        "[--as-other-user] [--step] [--slow S] [&]"
    )


def parse(line: str, magic: str) -> Options:
    """Read the line; one sentence when it cannot be."""
    magic = f"%{magic}" if magic == "run_program" else f"%%{magic}"
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise LabError(f"{magic}: {str(error).lower()}: quotes come in pairs.") from None
    options = Options()
    if words and words[-1] == "&" and line.rstrip().endswith("&"):
        options.background = True
        words.pop()
    elif words and words[-1].endswith("&") and line.rstrip().endswith("&"):
        options.background = True
        words[-1] = words[-1][:-1]
    while words:
        _take(options, words, magic)
    return options


def _take(options: Options, words: list[str], magic: str) -> None:
    word = words.pop(0)
    option, equals, value = word.partition("=")
    if equals and option in _WITH_A_VALUE:
        word = option
        words.insert(0, value)
    if word == "--args":
        while words and not words[0].startswith("--"):
            options.args.append(words.pop(0))
        if words[:1] == ["--"]:
            options.args += words[1:]
            words.clear()
    elif word == "--env":
        key, equals, value = _value(words, word, magic).partition("=")
        if not equals or not key:
            raise LabError(f"{magic}: --env wants NAME=VALUE, as in --env DEBUG=1.")
        options.env[key] = value
    elif word == "--stdin":
        options.stdin = _unescaped(_value(words, word, magic))
    elif word == "--timeout":
        options.timeout = _seconds(words, word, magic)
    elif word == "--cwd":
        options.cwd = _value(words, word, magic)
    elif word == "--step":
        options.step = True
    elif word == "--slow":
        options.slow = _seconds(words, word, magic)
    elif word == "--save":
        options.save = True
    elif word == "--as-other-user":
        options.other_user = True
    elif word.startswith("-"):
        if options.args:
            raise LabError(f"{magic}: arguments that begin with -- come after `--args --`.")
        raise LabError(f"{magic} has no option {word}: {usage(magic)}")
    else:
        options.name = _name(word, options, magic)


def _name(word: str, options: Options, magic: str) -> str:
    if word and not word.strip("&"):
        raise LabError(f"{magic}: one `&`, at the end of the line, runs the program in the background.")
    if options.env and "=" in word:
        raise LabError(f"{magic}: each variable has an --env of its own, as in --env {word}.")
    if options.name is not None:
        raise LabError(
            f"{magic}: {options.name} and {word}: a program has one name. "
            f"Arguments come after --args, as in --args {word}."
        )
    if not _NAME.fullmatch(word):
        raise LabError(
            f"{magic}: {word!r} cannot be a name: it begins with a letter, and letters, digits, _ . and - "
            "may follow, 40 in all."
        )
    return word


def _value(words: list[str], option: str, magic: str) -> str:
    if not words:
        raise LabError(f"{magic}: {option} wants a value after it.")
    return words.pop(0)


def _seconds(words: list[str], option: str, magic: str) -> float:
    text = _value(words, option, magic)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < 1e7:
        raise LabError(f"{magic}: {option} wants a number of seconds, not {text!r}.")
    return seconds


_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "0": "\0"}


def _unescaped(text: str) -> str:
    r"""The text with \n, \t, \0 and \\ as they are in Python and C."""
    return re.sub(r"\\([nt0\\])", lambda found: _ESCAPES[found[1]], text)
