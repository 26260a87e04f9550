"""`make lab` trusts the course's notebooks as they were published, and no other."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat.sign import NotebookNotary

ROOT = Path(__file__).parents[1]
NAMES = ("notebooks/a.ipynb", "notebooks/b.ipynb", "exercises/a.ipynb")


def write(path: Path, source: str) -> None:
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="one")]), path)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/lab.py of a course of its own, under git, with a Jupyter that knows nothing."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    course = tmp_path / "course"
    for name in NAMES:
        course.mkdir(exist_ok=True)
        write(course / name, name)
    (course / ".venv").mkdir()
    (course / ".venv/bin").symlink_to(ROOT / ".venv/bin")
    (course / ".gitignore").write_text(".venv\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=course, check=True)
    spec = importlib.util.spec_from_file_location("lab", ROOT / "tools/lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", course)
    monkeypatch.setattr(module, "SIGNED", course / ".venv/signed.json")
    return module


def trusted(lab: ModuleType) -> list[str]:
    notary = NotebookNotary()
    found = [name for name in NAMES if notary.check_signature(nbformat.read(lab.ROOT / name, 4))]
    notary.store.close()
    return found


def test_what_was_changed_or_added_is_not_trusted(lab: ModuleType) -> None:
    write(lab.ROOT / "notebooks/b.ipynb", "somebody else's")
    write(lab.ROOT / "notebooks/c.ipynb", "new")
    assert sorted(lab.untouched()) == ["exercises/a.ipynb", "notebooks/a.ipynb"]
    lab.trust(lab.untouched())
    assert trusted(lab) == ["notebooks/a.ipynb", "exercises/a.ipynb"]


def test_what_is_signed_is_not_signed_again_and_what_is_published_anew_is(
    lab: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.trust(lab.untouched())
    assert trusted(lab) == list(NAMES)
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append([str(word) for word in command][2:])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(lab.subprocess, "run", run)
    known = dict.fromkeys(NAMES, "same")
    lab.SIGNED.write_text('{"notebooks/a.ipynb": "same", "notebooks/b.ipynb": "same"}')
    lab.trust(known)
    lab.trust(known)
    assert asked == [["exercises/a.ipynb"]]


def test_without_git_nothing_is_trusted(lab: ModuleType) -> None:
    shutil.rmtree(lab.ROOT / ".git")
    (lab.ROOT / ".git").write_text("no repository")
    assert lab.untouched() == {}


@pytest.mark.parametrize(
    ("typed", "begins"),
    [("--no-browser", "/lab/tree/notebooks/00_start_here.ipynb"), ("--LabApp.default_url=/x", "/x")],
)
def test_the_address_that_is_printed_leads_to_the_first_notebook(
    lab: ModuleType, monkeypatch: pytest.MonkeyPatch, typed: str, begins: str
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(lab.os, "execv", lambda _, command: commands.append(command))
    monkeypatch.setattr(lab, "trust", lambda _: None)
    monkeypatch.setattr(lab.sys, "argv", ["lab.py", typed])
    monkeypatch.chdir(lab.ROOT)
    lab.main()
    said = [word for word in commands[0] if "default_url" in word]
    assert said == [f"--LabApp.default_url={begins}"], "Jupyter takes an option once"
