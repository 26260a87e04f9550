"""A cell is a program, on a real shell and in real kernels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from front_end import FrontEnd
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

import labkit
from labkit import names, supervisor
from labkit.errors import LabError
from labkit.magics import byname, cells, options

# --- the line ---------------------------------------------------------------------------------------


def test_the_whole_line_is_understood() -> None:
    line = "writer --args a 'b c' --env K=V --env=L= --stdin 'x\\ny' --timeout=2.5 --cwd /tmp --save &"
    found = options.parse(line, "program")
    assert found == options.Options(
        name="writer", args=["a", "b c"], env={"K": "V", "L": ""}, stdin="x\ny", timeout=2.5, cwd="/tmp",
        save=True, background=True,
    )  # fmt: skip


def test_a_quoted_ampersand_is_an_argument_and_arguments_may_begin_with_dashes() -> None:
    assert options.parse("x --args a '&'", "c").background is False
    assert options.parse("x --args -n -- --long --save", "c").args == ["-n", "--long", "--save"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--nope", "has no option --nope"),
        ("a b", "a program has one name"),
        ("1a", "cannot be a name"),
        ("--timeout", "wants a value"),
        ("--timeout soon", "wants a number of seconds, not 'soon'"),
        ("--timeout -1", "wants a number of seconds"),
        ("--timeout nan", "wants a number of seconds"),
        ("--slow soon", "--slow wants a number of seconds"),
        ("--env DEBUG", "wants NAME=VALUE"),
        ("--env A=1 B=2", "has an --env of its own, as in --env B=2"),
        ("--args a --b", "come after `--args --`"),
        ("x &&", "one `&`, at the end of the line"),
        ("'a", "quotes come in pairs"),
    ],
)
def test_a_line_that_makes_no_sense_gets_one_sentence(line: str, words: str) -> None:
    with pytest.raises(LabError, match=re.escape(words)) as caught:
        options.parse(line, "program")
    assert "\n" not in str(caught.value)


# --- on a shell -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    before = {name: os.environ.get(name) for name in (names.SCOPE, names.SCRATCH)}
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "labkit")
    running = supervisor.connect()
    assert running.wait_for(lambda: running.pid is not None, 20)
    yield shell
    shell.run_line_magic("unload_ext", "labkit")
    assert not os.path.exists(os.environ[names.SCRATCH])
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    InteractiveShell.clear_instance()


Captured = pytest.CaptureFixture[str]


def cell(shell: InteractiveShell, line: str, body: str) -> None:
    magic, _, rest = line.removeprefix("%%").partition(" ")
    shell.run_cell_magic(magic, rest, body)


def test_a_program_runs_outside_the_notebook(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%program", "import os; print(os.getpid()); os._exit(0)")
    assert int(capsys.readouterr().out) != os.getpid()


def test_arguments_environment_folder_and_input_reach_it(
    shell: InteractiveShell, capsys: Captured, tmp_path: Path
) -> None:
    body = "import os, sys\nprint(sys.argv, os.environ['K'], os.getcwd(), input())"
    cell(shell, f"%%program writer --args a --env K=V --cwd {tmp_path} --stdin hello", body)
    assert capsys.readouterr().out == f"['writer', 'a'] V {tmp_path} hello\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 3", "it ended with exit status 3\n"),
        ("exit 0", ""),
        ("kill -KILL $$", "it was ended by SIGKILL (9)\n"),
        ("kill -40 $$", "it was ended by SIGRTMIN+6 (40)\n"),
        ("printf x; exit 1", "x\nit ended with exit status 1\n"),
    ],
)
def test_the_end_is_said_in_words_unless_it_is_a_good_one(
    shell: InteractiveShell, capsys: Captured, body: str, words: str
) -> None:
    cell(shell, "%%shell it", body)
    assert capsys.readouterr().out == words


def test_error_is_told_apart_and_only_a_traceback_is_red(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%program", "import sys\nprint('note', file=sys.stderr, flush=True)\n1/0")
    said = capsys.readouterr()
    assert "\x1b[35mnote\x1b[0m\n" in said.out
    assert said.err.startswith("Traceback (most recent call last):")
    assert said.err.rstrip().endswith("ZeroDivisionError: division by zero")
    assert re.search(r'File "cell \[\d+\]", line 4', said.err)


def test_c_runs_and_its_warnings_are_help(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%c", '#include <stdio.h>\nint main(void) { int x; puts("hi"); }')
    said = capsys.readouterr().out
    assert re.match(r"cell \[\d+\], line 3: warning: unused variable", said)
    assert said.endswith("hi\n")


def test_a_compile_error_is_one_error_without_a_traceback(shell: InteractiveShell, capsys: Captured) -> None:
    result = shell.run_cell("%%c\nint main(void) { return 0 }")
    assert isinstance(result.error_in_exec, LabError)
    said = capsys.readouterr()
    assert "line 2: error: expected ';'" in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_a_background_program_returns_at_once_and_can_be_waited_for(
    shell: InteractiveShell, capsys: Captured
) -> None:
    cell(shell, "%%shell slow &", "read line < /dev/null; sleep 0.2; echo done; exit 4")
    assert labkit.programs()["slow"].status is None
    labkit.wait("slow")
    assert capsys.readouterr().out == "done\nslow ended with exit status 4\n"


def test_a_saved_program_runs_when_it_is_asked_to(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%shell saved --args a --save", 'echo "$1"')
    for line in ("saved", "saved --args b", "saved"):
        shell.run_line_magic("run_program", line)
    assert capsys.readouterr().out.splitlines()[1:] == ["a", "b", "a"]


def test_many_of_one_definition_run_at_once(shell: InteractiveShell) -> None:
    cell(shell, "%%shell many --save", "sleep 100")
    for _ in range(10):
        shell.run_line_magic("run_program", "many &")
    running = [p.name for p in labkit.programs() if p.alive]
    assert running == ["many", *(f"many {n}" for n in range(2, 11))]
    labkit.stop()
    assert not [p for p in labkit.programs() if p.alive]


def test_programs_are_listed_paused_resumed_and_killed_by_name(shell: InteractiveShell) -> None:
    cell(shell, "%%shell sleeper &", "sleep 100")
    assert re.search(r"^sleeper +\d+  running$", repr(labkit.programs()), re.M)
    shell.run_line_magic("pause", "sleeper")
    assert re.search(r"^sleeper +\d+  paused$", repr(labkit.programs()), re.M)
    shell.run_line_magic("resume", "sleeper")
    shell.run_line_magic("kill", "sleeper")
    assert re.search(r"^sleeper +\d+  was ended by SIGKILL \(9\)$", repr(labkit.programs()), re.M)


def test_an_unknown_name_gets_one_sentence_with_the_known_ones(shell: InteractiveShell) -> None:
    cell(shell, "%%shell known", "true")
    for function in (labkit.stop, labkit.wait, byname.pause, lambda name: labkit.programs()[name]):
        with pytest.raises(LabError, match=r"There is no program named 'nobody' .*known"):
            function("nobody")
    with pytest.raises(LabError, match="known ended: there is nothing of it to look at any more"):
        labkit.xray("known")
    with pytest.raises(LabError, match="No cell has defined a program named 'nobody'"):
        cells.definition("nobody")


@pytest.mark.parametrize(
    "text", ["labkit.stop('sl", 'labkit.wait("done", "sl', "%stop sl", "%run_program sl"]
)
def test_names_are_completed(shell: InteractiveShell, text: str) -> None:
    cell(shell, "%%shell sleepy", "true")
    with provisionalcompleter():
        whole = {text[: found.start] + found.text for found in shell.Completer.completions(text, len(text))}
    assert text + "eepy" in whole


def test_time_runs_out_with_words_about_who_waited(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%program stuck --timeout 0.3", "import os\nr, w = os.pipe()\nos.read(r, 1)")
    said = capsys.readouterr().out
    assert "stuck had not ended after 0.3 s:" in said
    assert "waiting in read(3)" in said
    assert "holds" in said
    assert said.endswith("stuck was ended by SIGTERM (15)\n")


def test_a_flood_is_cut_with_a_sentence(shell: InteractiveShell, capsys: Captured) -> None:
    cell(shell, "%%shell flood", "head -c 5000000 /dev/zero | tr '\\0' x")
    said = capsys.readouterr().out
    assert len(said) < 200_000
    path = re.search(r"bytes are left out here. All 5,000,000 are in (\S+),", said)
    assert path
    assert os.path.getsize(path[1]) == 5_000_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")
@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("%%program", "import os\nprint(os.getuid())\nopen('/etc/shadow')"),
        ("%%shell", "id -u; cat /etc/shadow"),
        (
            "%%c",
            '#include <stdio.h>\n#include <unistd.h>\nint main() { printf("%d\\n", getuid()); return 1; }',
        ),
    ],
)
def test_a_program_can_be_another_users(
    shell: InteractiveShell, capsys: Captured, line: str, body: str
) -> None:
    cell(shell, f"{line} guest --as-other-user", body)
    said = capsys.readouterr()
    assert said.out.startswith("65534\n")
    assert said.out.endswith("guest ended with exit status 1\n")
    assert "launcher" not in said.err
    if line != "%%c":
        assert "Permission denied" in said.out + said.err


# --- the notebook's own process ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["os.fork()", "os.forkpty()", "os.execlp('ls', 'ls')", "os.execv('/bin/ls', ['ls'])"]
)
def test_a_plain_cell_cannot_fork_or_replace_the_notebook(
    shell: InteractiveShell, capsys: Captured, code: str
) -> None:
    me = os.getpid()
    result = shell.run_cell(f"import os\n{code}")
    assert os.getpid() == me
    assert isinstance(result.error_in_exec, LabError)
    assert "%%program" in str(result.error_in_exec)


def test_what_knows_how_to_fork_still_may(shell: InteractiveShell, capsys: Captured) -> None:
    code = (
        "import subprocess, multiprocessing, os\n"
        "print(subprocess.run(['echo', 'one'], capture_output=True, text=True).stdout)\n"
        "p = multiprocessing.get_context('fork').Process(target=os._exit, args=(7,))\n"
        "p.start(); p.join(); print(p.exitcode)\n"
        "print(os.system('exit 0'))"
    )
    assert shell.run_cell(code).success
    assert capsys.readouterr().out.split() == ["one", "7", "0"]


# --- in a kernel, with a person at the front end ----------------------------------------------------


@pytest.fixture(scope="module", params=["python3", "labkit"])
def live(request: pytest.FixtureRequest) -> Iterator[FrontEnd]:
    with FrontEnd(request.param) as front_end:
        front_end.run("%load_ext labkit\nimport labkit, labkit.supervisor as s; c = s.connect()")
        front_end.run("assert c.wait_for(lambda: c.pid is not None, 20)")
        yield front_end


def test_output_of_the_background_comes_under_its_own_cell_while_others_run(live: FrontEnd) -> None:
    own = live.send("%%shell ticker &\nfor n in 1 2 3; do sleep 0.1; echo tick $n; done; exit 2", "own2")
    other = live.send(
        "import time\nwhile labkit.programs()['ticker'].alive: time.sleep(0.01)\nprint('other')", "x"
    )
    live.until(lambda: other not in live.busy)
    live.until(lambda: "exit status" in live.text(own))
    assert live.text(own) == "tick 1\ntick 2\ntick 3\nticker ended with exit status 2\n"
    assert live.text(other) == "other\n"


def test_input_is_typed_into_a_box_under_the_cell(live: FrontEnd) -> None:
    own = live.send(
        "%%program\nimport select\nname = input('name? ')\nprint('hello', name)\n"
        "select.select([0], [], [])\nprint(input())\nprint(input('more? '))",
        "input",
    )
    for answer in ("you", "good", "^D"):
        live.until(lambda: live.asked)
        live.asked.clear()
        live.client.input(answer)
    live.until(lambda: own not in live.busy)
    assert "hello you\n" in live.text(own)
    assert "good\n" in live.text(own)
    assert live.text(own, "stderr").startswith("Traceback")
    assert live.text(own, "stderr").endswith("EOFError\n")


def test_a_box_stays_while_the_program_does_something_else(live: FrontEnd) -> None:
    body = "import select\nwhile not select.select([0], [], [], 0.2)[0]: print('waits', flush=True)\n"
    own = live.send("%%program --timeout 20\n" + body + "print(input())", "stays")
    live.until(lambda: live.text(own).count("waits") == 3)
    assert len(live.asked) == 1
    live.asked.clear()
    live.client.input("at last")
    live.until(lambda: own not in live.busy)
    assert "at last\n" in live.text(own)


def test_a_box_goes_with_the_program_that_asked(live: FrontEnd) -> None:
    own = live.send("%%program --timeout 0.5\ninput()", "box")
    live.until(lambda: own not in live.busy)
    assert "had not ended after 0.5 s" in live.text(own)
    assert live.run("print('next')") == "next\n"


def test_interrupting_is_ctrl_c_and_a_second_time_ends_it(live: FrontEnd) -> None:
    body = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2])\nprint('on', flush=True)\n"
    own = live.send(
        "%%program deaf\n" + body + "while signal.sigwait([2]): print('caught', flush=True)", "int"
    )
    live.until(lambda: "on" in live.text(own))
    live.manager.interrupt_kernel()
    live.until(lambda: "caught" in live.text(own))
    live.manager.interrupt_kernel()
    live.until(lambda: own not in live.busy and own in live.replies)
    assert "deaf was ended by SIGKILL (9)" in live.text(own)
    assert live.replies[own]["status"] == "error"
    assert live.replies[own]["ename"] == "Interrupted"


INTERRUPTED_WHILE_INTERRUPTING = """
import os, signal, labkit.process
plain = labkit.process.Program.interrupt
def interrupt(program):
    labkit.process.Program.interrupt = plain
    plain(program)
    os.kill(os.getpid(), signal.SIGINT)
labkit.process.Program.interrupt = interrupt
"""


@pytest.mark.parametrize("magic", ["%%program", "%%film"])
def test_a_second_interrupt_counts_also_while_the_first_is_answered(
    live: FrontEnd, magic: str, tmp_path: Path
) -> None:
    live.run(INTERRUPTED_WHILE_INTERRUPTING)
    begun = tmp_path / "begun"
    body = f"import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nopen({str(begun)!r}, 'w')\n"
    own = live.send(f"{magic} deaf\n{body}while True: time.sleep(0.01)", "int")
    live.until(begun.exists)
    live.manager.interrupt_kernel()
    live.until(lambda: own not in live.busy and own in live.replies)
    assert live.replies[own]["ename"] == "Interrupted"
    assert "Traceback" not in live.text(own)


def test_running_a_cell_again_ends_what_it_had_started(live: FrontEnd) -> None:
    live.run("%%shell again &\nsleep 100", "again")
    assert "The again that this cell had started before was ended." in live.run(
        "%%shell again &\nsleep 100", "again"
    )
    live.run("labkit.stop('again')")


@pytest.mark.parametrize("kernel", ["python3", "labkit"])
def test_when_the_supervisor_dies_its_programs_end_and_the_next_cell_works(kernel: str) -> None:
    with FrontEnd(kernel) as live:
        live.run("%load_ext labkit")
        own = live.send("%%shell victim &\nsleep 100", "victim")
        live.until(lambda: own not in live.busy)
        live.run("import os, labkit.supervisor\nos.kill(labkit.supervisor.current().pid, 9)")
        live.until(lambda: "supervisor died" in live.text(own))
        assert live.run("%%shell\necho works") == "works\n"


def test_the_notebooks_own_process_is_in_the_picture_without_its_plumbing(live: FrontEnd) -> None:
    live.run("import os\nfrom labkit import supervisor")
    code = "print([(p.name, [d.fd for d in p.descriptors]) for p in supervisor.current().scene().processes])"
    assert live.run(code) == "[]\n"
    live.run("ends = os.pipe(); os.write(ends[1], b'hello')")
    live.run("%%shell sleeper &\nsleep 100")
    text = live.run(code + "\nprint(ends)")
    live.run("look = supervisor.current().scene")
    live.run("while b'hello' not in [getattr(o, 'head', None) for o in look().objects]: pass")
    live.run("labkit.stop(); [os.close(fd) for fd in ends]")
    ends = re.search(r"\((\d+), (\d+)\)", text)
    assert ends
    assert f"('notebook', [{ends[1]}, {ends[2]}])" in text
    assert "'sleeper'" in text
    assert live.run(code) == "[]\n"


def test_a_traceback_names_the_cell_by_the_number_beside_it(live: FrontEnd) -> None:
    for code in ("%%program\n1/0", "pass", "%%program failing\n1/0"):
        id = live.send(code)
        live.until(lambda id=id: id not in live.busy and id in live.replies)
        number = live.replies[id]["execution_count"]
        if "1/0" in code:
            assert f'File "cell [{number}]", line 2, in <module>' in live.text(id)


def test_errors_of_ours_have_no_traceback(live: FrontEnd) -> None:
    for code in ("%%program --nope\npass", "labkit.stop('nobody')", "%run_program", "labkit.name('a/b')"):
        text = live.run(code)
        assert text
        assert "Traceback" not in text
        assert "\n" not in text.strip()


# --- in a headless run ------------------------------------------------------------------------------

HEADLESS = [
    "%load_ext labkit",
    "%%program writer &\nimport sys\nprint('out'); print('err', file=sys.stderr); print('more'); sys.exit(3)",
    "%%shell late &\nsleep 0.3; echo late",
    "%%program both\nimport sys\nfor n in range(3): print(n); print('e', n, file=sys.stderr)",
    "import labkit\nlabkit.wait('late', 'writer')",
    "%%program\nimport os\nif os.fork() == 0: os.setsid(); os.execlp('sleep', 'sleep', '100')",
]


@pytest.mark.parametrize("kernel", ["python3", "labkit"])
def test_headless_output_is_complete_and_in_a_stable_order(kernel: str) -> None:
    runs = [_headless(kernel) for _ in range(2)]
    assert runs[0] == runs[1]
    _, writer, late, both, waited, daemon = ("".join(text for _, text in cell) for cell in runs[0])
    assert (writer, late) == ("", "")
    assert both == "0\n1\n2\n\x1b[35me 0\ne 1\ne 2\x1b[0m\n"
    assert waited == "late\nout\nmore\n\x1b[35merr\x1b[0m\nwriter ended with exit status 3\n"
    assert "One of its processes goes on in the background" in daemon


def _headless(kernel: str) -> list[list[tuple[str, str]]]:
    """Each cell's outputs, as (stream, text)."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in HEADLESS])
    NotebookClient(notebook, timeout=60, kernel_name=kernel).execute()
    return [
        [(output["name"], output["text"]) for output in cell.outputs if cell.source != HEADLESS[0]]
        for cell in notebook.cells
    ]
