"""Names, keys and paths that belong to one notebook."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import names
from labkit.errors import LabError
from labkit.programs import c, shell


@pytest.fixture(autouse=True)
def scope(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(names.SCOPE, "a1b2c3")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # short, as sockets' addresses are
        monkeypatch.setenv(names.SCRATCH, folder)
        yield "a1b2c3"


def test_a_name_is_one_for_posix_objects_and_has_the_scope_in_it(scope: str) -> None:
    assert names.name("counter") == f"/labkit-{scope}-counter"


def test_two_notebooks_never_share_a_name_a_key_or_a_path() -> None:
    code = "from labkit import names as n; n.begin(); print(*(f('x') for f in (n.name, n.key, n.path)))"
    bare = {k: v for k, v in os.environ.items() if not k.startswith("LABKIT_")}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    mine, theirs = (done.stdout.split() for done in runs)
    assert len(mine) == 3
    assert all(a != b for a, b in zip(mine, theirs, strict=True))


def test_a_key_is_stable_positive_and_never_ipc_private(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2000):
        monkeypatch.setenv(names.SCOPE, f"scope{number}")
        key = names.key("counter")
        assert 0 < key < 2**31
        assert key == names.key("counter")
        assert key >> 20 == names.key_prefix(f"scope{number}")


def test_words_of_one_notebook_have_different_keys() -> None:
    keys = {names.key(f"word{n}") for n in range(100)}
    assert len(keys) == 100


def test_a_path_lies_in_a_folder_that_only_its_user_may_enter() -> None:
    path = names.path("fifo")
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    os.mkfifo(path)


def test_a_path_that_no_socket_could_have_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(names.SCRATCH, str(tmp_path / ("long" * 25)))
    with pytest.raises(LabError, match="too long"):
        names.path("socket")


@pytest.mark.parametrize("word", ["", "a/b", "..", ".", "a b", "ä", "x" * 65, 7, None])
def test_a_word_that_cannot_be_part_of_a_name_is_refused(word: object) -> None:
    for function in (names.name, names.key, names.path):
        with pytest.raises(LabError, match="cannot be part of a name"):
            function(word)  # type: ignore[arg-type]


def test_a_scratch_folder_of_somebody_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    monkeypatch.setenv(names.SCRATCH, str(link))
    with pytest.raises(LabError, match="somebody else's"):
        names.path("x")


def test_outside_a_notebook_one_terminal_is_one_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(names.SCOPE)
    assert names.scope() == names.scope()
    other = subprocess.run(
        [sys.executable, "-c", "from labkit import names; print(names.scope())"],
        capture_output=True, text=True, start_new_session=True, check=True,
    )  # fmt: skip
    assert other.stdout.strip() != names.scope()


WORDS = ["counter", "a", "x.y-z_0+1", "w" * 64]


@pytest.mark.parametrize("word", WORDS)
def test_c_makes_the_same_names_keys_and_paths(word: str) -> None:
    program = c(
        '#include <stdio.h>\nint main(int n, char **a) { printf("%s %d %s", '
        "LABKIT_NAME(a[1]), LABKIT_KEY(a[1]), LABKIT_PATH(a[1])); }",
        args=[word],
    )
    said = subprocess.run(program.argv, env=program.env, capture_output=True, text=True, check=True)
    assert said.stdout == f"{names.name(word)} {names.key(word)} {names.path(word)}"


@pytest.mark.parametrize("word", WORDS)
def test_the_shell_makes_the_same_names_keys_and_paths(word: str) -> None:
    program = shell('labkit_name "$1"; labkit_key "$1"; labkit_path "$1"', args=[word])
    said = subprocess.run(program.argv, env=program.env, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [names.name(word), str(names.key(word)), names.path(word)]


def test_a_scratch_folder_goes_with_whoever_made_it() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "from labkit import names; print(names.path('x'))"],
        capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("LABKIT_")},
    )  # fmt: skip
    assert made.stdout.strip()
    assert not os.path.exists(os.path.dirname(made.stdout.strip()))
