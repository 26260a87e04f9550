"""`%%film`, `%%explore` and `--step` in a notebook's shell, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

START = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "labkit")
def cell(text):
    return shell.run_cell(text).result
"""
END = '\nshell.run_line_magic("unload_ext", "labkit")\n'


def notebook(source: str) -> str:
    """What a notebook with these cells prints."""
    done = subprocess.run(
        [sys.executable, "-c", START + source + END],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_a_cell_is_filmed():
    said = notebook(
        'film = cell("%%film --turns child-first\\nimport os\\nif os.fork() == 0: os._exit(3)\\nos.wait()")\n'
        'print("FILM", film)\n'
    )
    story = said.split("FILM ")[1]
    assert "parent: fork() = child\nchild: exits 3\n" in story
    assert "parent: wait4(any child) = child, exited 3" in story


def test_a_cell_is_explored_and_an_outcome_is_replayed():
    source = (
        "%%explore race --c\\n"
        "#include <sched.h>\\n#include <stdio.h>\\n#include <sys/mman.h>\\n"
        "#include <sys/wait.h>\\n#include <unistd.h>\\n"
        "int main() { volatile int *c = mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\\n"
        "int child = fork(); int v = *c; sched_yield(); *c = v + 1; if (!child) return 0;\\n"
        'wait(NULL); printf("%d", *c); }'
    )
    said = notebook(
        f"found = cell('''{source}''')\n"
        'print("FOUND", found)\n'
        'print("REPLAY", found.replay(0).frames[-1].text)\n'
    )
    assert "any other comes to the same as one of these." in said
    assert "| 1" in said
    assert "| 2" in said
    assert "REPLAY race: exits 0" in said


def test_saved_programs_are_filmed_together():
    said = notebook(
        'cell("%%program a --save\\nprint(1)")\n'
        'cell("%%program b --save\\nprint(2)")\n'
        "print(\"FILM\", cell(\"import labkit; labkit.film('a', 'b')\"))\n"
        "cell(\"labkit.film('nobody')\")\n"
        'cell("labkit.film()")\n'
    )
    assert "a: exits 0" in said
    assert "b: exits 0" in said
    assert "No cell has defined a program named 'nobody'" in said
    assert "Which programs?" in said


def test_wrong_options_are_one_sentence():
    said = notebook(
        'cell("%%film --turns\\npass")\n'
        'cell("%%film --turns a*b\\npass")\n'
        'cell("%%explore --max x\\npass")\n'
        'cell("%%explore --turns alternate\\npass")\n'
    )
    for words in (
        "--turns wants a value",
        "--turns is parent-first",
        "--max wants a number",
        "no option --turns",
    ):
        assert words in said


def test_a_program_stands_still_until_told_and_what_it_made_goes_when_it_is_ended_on_its_way(tmp_path):
    said = notebook(
        "from labkit.magics.stepping import Stage\n"
        "from labkit.programs import python\n"
        "source = 'import os\\nr, w = os.pipe()\\nfor _ in range(1000): os.write(w, b\"x\")'\n"
        "stage = Stage([python(source, name='')]).wait()\n"
        'print("FIRST", stage.frames, stage.could_go)\n'
        "stage.step()\n"
        'print("THEN", len(stage.frames), stage.could_go)\n'
        "stage.run()\n"
        "stage.wait_ended(30)\n"
        'print("LAST", len(stage.frames), stage.frames[-1]["text"], stage.ended)\n'
        "from labkit.programs import shell as in_shell\n"
        f"stage = Stage([in_shell('mkfifo {tmp_path}/fifo; exec sleep 1000', name='')]).run()\n"
        "while not any('… waits' in f['text'] and 'sleep' in f['text'] for f in stage.frames): pass\n"
        "stage._buttons.children[-1].children[-1].click()  # End\n"
        "stage.wait_ended(30)\n"
        'print("CUT", stage)\n'
        f"stage = Stage([in_shell('mkfifo {tmp_path}/left; exec sleep 1000', name='')]).wait()\n"
        "while 'execve' not in stage.could_go.get('parent', ''): stage.step()\n"
    )
    assert "FIRST [] {'parent': 'pipe(O_CLOEXEC)'}" in said
    assert "THEN 1 {'parent': 'write(4, \"x\", 1)'}" in said
    assert "LAST 1002 parent: exits 0 True" in said
    assert "It was interrupted (SIGINT)." in said.partition("CUT")[2]
    assert list(tmp_path.iterdir()) == []  # also of a program that stands when the notebook ends


def test_where_nobody_sits_a_step_by_step_cell_runs_to_its_end():
    said = notebook(
        'print("STAGE", cell("%%program --step\\nprint(5)"))\nprint(cell("%%shell --slow 0.01\\necho 6"))\n'
    )
    assert "| 5" in said
    assert "| 6" in said
