"""A cell's source becomes a command."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import compiler, names
from labkit.errors import LabError
from labkit.programs import Command, CompileError, c, environment, python, shell


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(names.SCOPE, "a1b2c3")
    monkeypatch.setenv(names.SCRATCH, str(tmp_path / "scratch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(command: Command, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.argv,
        env=command.env,
        cwd=command.cwd,
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
        **options,
    )  # type: ignore[call-overload, no-any-return]


# --- Python -----------------------------------------------------------------------------------------


def test_a_python_program_is_its_own_main_with_its_own_arguments() -> None:
    source = "import sys, __main__\nx = 1\n"
    source += "print(__name__, __main__.x, sys.argv, repr(sys.path[0]), __annotations__)"
    done = run(python(source, name="writer", args=["a", "b c"]))
    assert done.stdout == "__main__ 1 ['writer', 'a', 'b c'] '' {}\n"


def test_a_traceback_names_the_cell_and_shows_its_lines_and_nothing_of_ours() -> None:
    done = run(python("def f():\n    1/0\n\nf()", label="cell [3]", first_line=2))
    assert done.returncode == 1
    assert 'File "cell [3]", line 5, in <module>\n    f()' in done.stderr
    assert 'File "cell [3]", line 3, in f\n    1/0' in done.stderr
    assert "launcher" not in done.stderr


def test_a_traceback_that_is_printed_or_of_a_thread_shows_lines_too() -> None:
    source = (
        "import traceback, threading\ntry: 1/0\nexcept Exception: traceback.print_exc()\n"
        "def g(): {}['k']\nt = threading.Thread(target=g); t.start(); t.join()"
    )
    done = run(python(source, label="cell [3]"))
    assert 'File "cell [3]", line 2, in <module>\n    try: 1/0' in done.stderr
    assert "def g(): {}['k']" in done.stderr


def test_a_syntax_error_is_shown_in_the_cell() -> None:
    done = run(python("x = 1\nprint(x", label="cell [4]", first_line=2))
    assert 'File "cell [4]", line 3' in done.stderr
    assert "SyntaxError" in done.stderr
    assert "launcher" not in done.stderr


def test_exit_statuses_are_pythons_own() -> None:
    assert run(python("raise SystemExit(7)")).returncode == 7
    assert run(python("import sys; sys.exit()")).returncode == 0
    done = run(python("import sys; sys.exit('told you')"))
    assert (done.returncode, done.stderr) == (1, "told you\n")


def test_an_uncaught_interrupt_ends_it_by_sigint_as_python_does() -> None:
    done = run(python("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(9)"))
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


def test_a_hook_of_the_program_for_exceptions_is_its_own() -> None:
    done = run(python("import sys\nsys.excepthook = lambda *a: print('mine')\n1/0"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "mine\n", "")


def test_classes_of_main_can_be_pickled_and_exit_handlers_run() -> None:
    source = (
        "import pickle, atexit\nclass A: pass\natexit.register(print, 'bye', A)\n"
        "print(type(pickle.loads(pickle.dumps(A()))) is A)"
    )
    assert run(python(source)).stdout == "True\nbye <class '__main__.A'>\n"


def test_a_program_that_starts_others_by_multiprocessing_works() -> None:
    source = (
        "import multiprocessing as mp\ndef f(x): return x * x\n"
        "if __name__ == '__main__':\n"
        "    for how in ('fork', 'spawn'):\n"
        "        with mp.get_context(how).Pool(2) as pool: print(pool.map(f, [1, 2, 3]))"
    )
    done = run(python(source))
    assert done.stdout == "[1, 4, 9]\n[1, 4, 9]\n", done.stderr


def test_a_program_without_input_is_told_what_to_do() -> None:
    done = run(python("input()"), stdin=subprocess.DEVNULL)
    assert "--stdin" in done.stderr


def test_source_may_hold_any_text() -> None:
    assert run(python('print("ä€😀", """\n"quoted" \\ $x `y`""")')).stdout == 'ä€😀 \n"quoted" \\ $x `y`\n'


# --- C ----------------------------------------------------------------------------------------------

HELLO = '#include <stdio.h>\nint main(int n, char **a) { printf("hello %s\\n", a[1]); return 3; }\n'


def test_c_is_compiled_and_gets_its_arguments() -> None:
    done = run(c(HELLO, name="greeter", args=["you"]))
    assert (done.stdout, done.returncode) == ("hello you\n", 3)


def test_the_same_c_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = c(HELLO)
    before = os.stat(first.argv[0]).st_mtime_ns
    assert os.stat(c(HELLO).argv[0]).st_mtime_ns == before
    assert c(HELLO + "\n// other\n").argv[0] != first.argv[0]


def test_only_the_programs_used_last_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def program(number: int) -> Path:
        return Path(c(f"int main(void) {{ return {number}; }}", name=f"s{number}").argv[0]).parent

    monkeypatch.setattr(compiler, "_KEPT", 2)
    for folder in (program(1), program(2)):
        os.utime(folder, (0, 0))
    program(1)
    program(3)
    kept = (tmp_path / "cache" / "labkit" / "c").glob("*/s?")
    assert {path.name for path in kept} == {"s1", "s3"}


def test_a_compile_error_stands_against_the_cells_line() -> None:
    with pytest.raises(CompileError) as caught:
        c("int main(void) {\n    return 0\n}\n", label="cell [5]", first_line=2)
    assert "cell [5], line 3: error: expected ';'" in str(caught.value)
    assert "        return 0\n                ^" in str(caught.value)


def test_a_warning_names_the_header_that_is_missing() -> None:
    command = c("int main(void) { fork(); }", label="cell [5]", first_line=2)
    assert "cell [5], line 2: warning: implicit declaration" in command.warnings
    assert "#include <unistd.h>" in command.warnings
    assert c("int main(void) { fork(); }", label="cell [5]", first_line=2).warnings == command.warnings


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("int mainn(void) { return 0; }", "has no `main`"),
        ("void nope(void);\nint main(void) {\n nope(); }", "line 3: error: no function `nope` was found"),
        ("int main(void) { return “0”; }", "C does not know this character"),
        (
            "int a[1u << 30], b[1u << 30]; int main(void) { return a[1] + b[2]; }",
            "(?s)made no program of it:\\n.*truncated to fit",
        ),
        ('#include "nope.h"\nint main(void) {}', "nope.h: No such file"),
    ],
)
def test_other_mistakes_in_c_are_said_in_words(source: str, words: str) -> None:
    with pytest.raises(CompileError, match=words):
        c(source)


def test_what_a_compiler_says_is_cut() -> None:
    said = compiler.explain("it:1:7: error: no\n" * 1000, "it", "x" * 100_000, 1)
    assert said.endswith("… and 900 more lines")
    assert len(said) < 5000


def test_a_compiler_that_would_run_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiler, "_PATIENCE_S", 0.3)
    with pytest.raises(CompileError, match="it: the compiler had not ended after"):
        c('#include "/dev/zero"', label="it")
    assert os.listdir(names.folder()) == []
    assert not list(tmp_path.rglob("*.new"))


def test_c_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt install gcc"):
        c(HELLO)


def test_feature_macros_of_the_program_still_come_first() -> None:
    source = "#define _GNU_SOURCE\n#include <sched.h>\nint main(void) { return sched_getcpu() < 0; }"
    command = c(source)
    assert (command.warnings, run(command).returncode) == ("", 0)


# --- shell ------------------------------------------------------------------------------------------


def test_a_shell_program_gets_its_name_and_arguments() -> None:
    assert run(shell('echo "$0" "$#" "$2"', name="lister", args=["a", "b c"])).stdout == "lister 2 b c\n"


# --- all --------------------------------------------------------------------------------------------


def test_the_environment_is_the_notebooks_less_jupyters_and_with_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setenv("MINE", "kept")
    found = environment({"DEBUG": "1"})
    assert "JPY_PARENT_PID" not in found
    assert (found["MINE"], found["DEBUG"], found[names.SCOPE]) == ("kept", "1", "a1b2c3")


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(LabError, match="no folder /nowhere"):
        python("pass", cwd="/nowhere")


def test_a_command_cannot_be_changed() -> None:
    command = python("pass", interpreter=sys.executable)
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.name = "other"  # type: ignore[misc]
