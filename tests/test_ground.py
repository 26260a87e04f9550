"""What a newcomer stands on: exact versions that agree, and a set-up that says what it cannot do."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import types
import venv
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt", "tools/uv.txt")
CONDA_NAMES = {"python-graphviz": "graphviz"}
NOT_FROM_PYPI = {"python", "pip", "graphviz"}
"""What conda brings and pyproject.toml does not name; `graphviz` there is the program `dot`."""


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wanted() -> dict[str, Requirement]:
    """The dependencies of pyproject.toml by their names."""
    return by_name(project()["project"]["dependencies"])  # type: ignore[index]


def by_name(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def locked(name: str, python: str = "3.11") -> dict[str, str]:
    """Package -> its one version, for this Python; some differ between Pythons."""
    chosen = {}
    for requirement in entries(name):
        where = {"python_version": python, "python_full_version": f"{python}.0"}
        if requirement.marker is None or requirement.marker.evaluate(where):
            package = canonicalize_name(requirement.name)
            assert package not in chosen
            chosen[package] = str(requirement.specifier).removeprefix("==")
    return chosen


def entries(name: str) -> list[Requirement]:
    lines = re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return [Requirement(line) for line in lines]


def test_conda_and_pypi_agree() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    conda = {
        CONDA_NAMES.get(name, name): r for name, r in by_name(lines).items() if name not in NOT_FROM_PYPI
    }
    assert {n: r.specifier for n, r in conda.items()} == {n: r.specifier for n, r in wanted().items()}
    assert by_name(lines)["python"].specifier == project()["project"]["requires-python"]  # type: ignore[index]


def test_the_lock_has_a_fitting_version_of_everything() -> None:
    for python in ("3.11", "3.12", "3.13", "3.14"):
        versions, dev = locked("requirements.txt", python), locked("requirements-dev.txt", python)
        for name, requirement in wanted().items():
            assert requirement.specifier.contains(versions[name]), (python, requirement)
        assert versions.items() <= dev.items()
        assert by_name(project()["dependency-groups"]["dev"]).keys() <= dev.keys()  # type: ignore[index]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_says_nothing_of_where_it_comes_from(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(entries(name)) > 0
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert re.findall(r"//|--index|--extra|--find-links|@ ", text) == []


def test_what_makes_every_start_slow_is_left_out() -> None:
    assert "rfc3987-syntax" not in locked("requirements-dev.txt")
    assert "jsonschema" in locked("requirements.txt")


def test_the_locked_sysv_ipc_can_be_built_from_source() -> None:
    """Only then do its semaphores know time-outs; where Python's headers are missing, set-up says so."""
    import sysv_ipc

    if setup_script().can_build():
        assert sysv_ipc.SEMAPHORE_TIMEOUT_SUPPORTED


def test_make_alone_lists_every_target_with_a_line() -> None:
    listing = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make ([\w-]+) +\S.*$", listing, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert set(listed) == set(phony[1].split()) - {"setup-dev"}
    assert listed[0] == "help"


def test_the_machine_runs_what_we_run() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci/run", os.X_OK)


# --- the set-up script ------------------------------------------------------------------------------


def setup_script() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("labkit_setup", ROOT / "tools/setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            {"sudo", "apt-get"},
            "type:\n\n    sudo apt-get install -y --no-install-recommends graphviz python3.11-dev",
        ),
        (
            {"apt-get"},
            "type as root:\n\n    apt-get install -y --no-install-recommends graphviz python3.11-dev",
        ),
        (set(), "Missing, by Debian's names: graphviz, python3.11-dev."),
    ],
)
def test_without_root_what_to_type_is_printed(
    there: set[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = setup_script()
    monkeypatch.setattr(script.shutil, "which", lambda program, **_: program if program in there else None)
    monkeypatch.setattr(script, "found", lambda program: program != "dot")
    monkeypatch.setattr(script, "python_packages", lambda: ["python3.11-dev"])
    monkeypatch.setattr(script, "as_root", lambda: None)
    script.install_programs({"bwrap": ["bubblewrap"], "dot": ["graphviz"]})
    assert words in capsys.readouterr().out


def test_a_folder_that_was_moved_is_set_up_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = setup_script()
    venv.create(tmp_path / "old")
    monkeypatch.setattr(script, "VENV", tmp_path / "old")
    assert script.is_of_here()
    (tmp_path / "old").rename(tmp_path / "a new place")
    monkeypatch.setattr(script, "VENV", tmp_path / "a new place")
    assert not script.is_of_here()


def test_apt_failing_is_said_and_set_up_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = setup_script()
    monkeypatch.setattr(script, "found", lambda program: False)
    monkeypatch.setattr(script, "python_packages", list)
    monkeypatch.setattr(script, "as_root", list)
    monkeypatch.setattr(script.shutil, "which", lambda *_, **__: "/usr/bin/apt-get")
    ran = []
    monkeypatch.setattr(script, "apt", lambda root, line: ran.append(line))
    script.install_programs({"bwrap": ["bubblewrap"]})
    assert [line.split()[1] for line in ran] == ["install", "update"]
    assert "To try by hand, type:" in capsys.readouterr().out


def test_nothing_is_done_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = setup_script()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("")
    monkeypatch.setattr(script, "VENV", tmp_path)
    monkeypatch.setattr(script, "STAMP", tmp_path / "stamp")
    assert not script.is_done(False)
    script.STAMP.write_text(script.json.dumps(script.state(True)))
    assert script.is_done(False)
    assert script.is_done(True)
    script.STAMP.write_text(script.json.dumps(script.state(False)))
    assert script.is_done(False)
    assert not script.is_done(True)


def test_set_up_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(ROOT / 'tools')!r}); import setup"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert run.stderr == ""


def test_binder_finds_the_same_environment() -> None:
    """Where a folder `binder` is, nothing at the root is looked at."""
    assert (ROOT / "binder/environment.yml").resolve() == ROOT / "environment.yml"
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
