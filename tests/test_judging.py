"""What a judge makes of answers that crash, hang, fork, leak and kill; in any language, behind any wall."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.exercises import Course
from labkit.judge import sandbox
from labkit.judge.answers import Answer
from labkit.judge.asking import judge
from labkit.kernel.numbers import number
from labkit.reports import Report, Result

COURSE = Course(Path(__file__).parents[1], (Path(__file__).parent / "exercises",))


def report(name: str, text: str) -> Report:
    return judge(COURSE, f"made_up/{name}", f"\n{text}\n")


def first(name: str, text: str) -> str:
    """What is said of the first criterion, with its picture."""
    result = report(name, text).results[0]
    assert not result.held
    return f"{result.seen}\n{result.picture}"


def test_a_function() -> None:
    assert report("function", "def f():\n    return 42").solved


def test_a_program_gets_its_descriptors_and_its_status_is_seen() -> None:
    assert report("program", "import os, sys\nos.write(3, b'hello')\nsys.exit(5)").solved
    assert "ended with 0" in first("program", "import os\nos.write(3, b'hello')")


def test_who_ends_and_leaves_a_child_with_its_pipe_is_told_of_the_child() -> None:
    text = "import os, time\nos.write(3, b'hello')\nif os.fork() == 0: time.sleep(60)\nos._exit(5)"
    assert first("program", text).startswith("Not done after 2 seconds: it ended, and left a process")


def test_a_shell_script() -> None:
    assert report("filter_", "tr a-z A-Z").solved
    assert "command not found" in first("filter_", "no_such_command")


def test_a_c_program() -> None:
    assert report("in_c", '#include <unistd.h>\nint main(void) { write(3, "ok", 2); }').solved


def test_a_check_can_send_a_partner_into_the_answers_room() -> None:
    right = "import sysv_ipc\ndef f(id):\n    return sysv_ipc.attach(id).read(7)"
    assert report("meeting", right).solved
    assert not report("meeting", right.replace("7", "6")).solved


def test_a_compiler_error_is_shown_against_the_cell() -> None:
    said = first("in_c", "int main(void) {\n    retrun 0;\n}")
    assert "It does not compile." in said
    assert "your cell, line 3: error:" in said


def test_a_crash_in_c_is_named() -> None:
    assert "was ended by SIGSEGV" in first("in_c", "int main(void) { *(volatile int *)0 = 1; }")


def test_a_crash_shows_the_learners_own_lines_only() -> None:
    said = first("function", "def g(x):\n    return 1 / x\n\ndef f():\n    return g(0)")
    assert "line 6, in f\n    return g(0)\nline 3, in g\n    return 1 / x\nZeroDivisionError" in said
    assert "nursery" not in said


def test_a_threads_crash_shows_the_learners_own_lines_only() -> None:
    text = """
import threading
def g():
    b"".uper()
def f():
    thread = threading.Thread(target=g, name="T")
    thread.start()
    thread.join()
    raise ValueError
"""
    printed = report("function", text).results[0].picture.partition("It printed:\n")[2]
    assert printed.splitlines() == [
        "  Exception in thread T:",
        "  Traceback (most recent call last):",
        "    line 5, in g",
        '        b"".uper()',
        "  AttributeError: 'bytes' object has no attribute 'uper'. Did you mean: 'upper'?",
    ]


def test_however_slow_it_is_to_look_at_there_is_an_end() -> None:
    answer: Any = SimpleNamespace(_deadline=100.0, _latest=100.005)
    with Answer._uncounted(answer):
        time.sleep(0.01)
    assert answer._deadline == 100.005


def test_a_syntax_error_has_its_line() -> None:
    said = first("function", "def f(:\n    pass")
    assert "line 2\n    def f(:\nSyntaxError: invalid syntax" in said


def test_a_missing_function_is_named() -> None:
    assert "There is no function `f`" in first("function", "def g(): pass")


def test_what_was_printed_is_shown() -> None:
    said = first("program", "print('a trace of mine')")
    assert "It printed:\n  a trace of mine" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f():\n    while True: pass", "Not done after 2 seconds: `f` is running."),
        ("import time\ndef f(): time.sleep(100)", "Not done after 2 seconds: `f` is"),
        (
            "import os\ndef f():\n    r, w = os.pipe()\n    os.read(r, 1)",
            "It never ends: `f` waits in read(3)",
        ),
        ("import os, signal\ndef f(): os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
        ("import os\ndef f(): os._exit(7)", "never returned: its process exited with status 7"),
        ("def f(): raise SystemExit(3)", "Your code raised SystemExit"),
        ("import os\ndef f():\n    os.fork()\n    return 42", "A child came out of `f` too"),
        (
            "import os, time\ndef f():\n    if os.fork() == 0: time.sleep(0.2)\n    return 42",
            "A child came out of `f` too",
        ),
        ("import os\ndef f():\n    os.kill(os.getppid(), 9)\n    return 41", ""),
    ],
    ids=["loops", "sleeps", "hangs", "killed", "exits", "SystemExit", "forks", "naps", "kills its parent"],
)
def test_bad_ends_are_told(text: str, words: str) -> None:
    assert words in first("function", text)


def test_who_kills_its_parent_harms_nobody_else() -> None:
    once = "import os\nif not os.path.exists('/tmp/once'):\n    open('/tmp/once', 'w').close()\n"
    text = once + "    os.kill(os.getppid(), 9)\ndef f():\n    return 42"
    assert [result.out_of for result in report("function", text).results] == [2, 1]


SYSV, POSIX = "import sysv_ipc\nsysv_ipc.", "import posix_ipc\nposix_ipc."
LEAKS = {
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)": "a process that",
    SYSV + "SharedMemory(77, sysv_ipc.IPC_CREX, size=10)": "a System V shared memory segment",
    SYSV + "Semaphore(77, sysv_ipc.IPC_CREX)": "a System V semaphore set",
    SYSV + "MessageQueue(77, sysv_ipc.IPC_CREX)": "a System V message queue",
    POSIX + "SharedMemory('/x', posix_ipc.O_CREX, size=10)": "the shared memory object `/x`",
    POSIX + "Semaphore('/x', posix_ipc.O_CREX)": "the named semaphore `/x`",
    POSIX + "MessageQueue('/x', posix_ipc.O_CREX)": "the message queue `/x`",
    "import os\nos.mkfifo('x')": "the file `x`",
    "import os\nos.mkfifo('../x')": "/x`",
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.splitlines()[1][:40])
def test_what_is_left_behind_is_named_and_taken_away(leak: str) -> None:
    body = "\n".join(f"    {line}" for line in leak.splitlines())
    said = report("function", f"def f():\n{body}\n    return 42")
    assert [result.held for result in said.results] == [True, False]
    assert LEAKS[leak] in said.results[1].seen


def test_a_file_that_the_task_asks_for_is_no_leftover() -> None:
    text = "def copy():\n    open('out', 'w').write(open('in').read())"
    assert report("files", text).solved
    link = "import os\ndef copy():\n    os.symlink('in', 'out')"
    assert "no copy" in first("files", link)


def test_output_without_end_is_cut_and_ends() -> None:
    said = first("function", "def f():\n    while True: print('x' * 10000)")
    assert "Not done after 2 seconds" in said


def test_what_is_made_from_plain_data_is_that_data() -> None:
    kinds = """
import collections, enum
Pair = collections.namedtuple("Pair", "a b")
Number = enum.IntEnum("Number", "ONE")
def f():
    return collections.OrderedDict(a=Pair(1, memoryview(b"x")), b=Number.ONE, c=range(2), d={3}, e=str)
"""
    seen = report("repeats", kinds).results[0].seen
    expected = "{'a': [1, b'x'], 'b': 1, 'c': [0, 1], 'd': frozenset({3}), 'e': 'type'}"
    assert seen == f"It returned {expected}."


@pytest.mark.parametrize("value", ["10 ** 5000", "[deep := [], deep.append(deep)]", "1e999j"])
def test_what_cannot_be_said_has_its_types_name(value: str) -> None:
    seen = report("repeats", f"def f():\n    return {value}").results[0].seen
    assert seen in ("It returned int.", "It returned list.", "It returned complex.")


def test_a_failure_is_shown_with_what_was_printed_and_what_a_child_raised() -> None:
    text = """
import os
def f():
    print("one of mine")
    if os.fork() == 0:
        os.close(77)
    os.wait()
    return 41
"""
    picture = report("function", text).results[0].picture
    assert "A child of `f` raised:\n  line 7, in f\n      os.close(77)\n  OSError:" in picture
    assert picture.endswith("It printed:\n  one of mine")


def test_an_answer_may_open_its_descriptors_by_name_and_call_programs_by_their_alternatives() -> None:
    """Also where it is another user than who judges: the folders above must let it through."""
    text = """
import os, pwd
with open("/dev/stdout", "w") as out, open("/proc/self/fd/3", "wb") as pipe:
    assert os.path.isdir("/etc/alternatives") == bool(os.listdir("/etc/alternatives"))
    assert pwd.getpwnam("root").pw_uid == 0
    pipe.write(b"hello")
os._exit(5)
"""
    assert report("program", text).results[0].held, report("program", text).text()


def test_an_answer_has_sockets_of_this_course_only_and_takes_nothing_that_all_must_share() -> None:
    """AF_VSOCK, 40, reaches a virtual machine's host; what io_setup takes is missing on the whole machine."""
    text = """
import ctypes, socket
def there(family):
    try: return bool(socket.socket(family, socket.SOCK_STREAM))
    except OSError: return False
def f():
    took = ctypes.CDLL(None).syscall(IO_SETUP, 9, b"\\0" * 8)
    return {family for family in range(64) if there(family)} <= {1, 2, 10}, took
"""
    said = report("repeats", text.replace("IO_SETUP", str(number("io_setup"))))
    assert said.results[0].seen == "It returned [True, -1]."


def test_text_that_would_trick_a_terminal_is_made_visible() -> None:
    said = first("function", "def f(): raise ValueError('\\x1b[2J\\u202eevil')")
    assert "\\x1b[2J\\u202eevil" in said


def test_an_answers_own_words_are_cut_and_made_visible_also_where_a_check_quotes_them() -> None:
    said = report("repeats", "def f(): return '\\x1b[2J' + 'x' * 5_000_000")
    assert "It returned \\x1b[2Jxxx" in said.results[0].seen
    assert "a picture with\\x1b[2J in it" in said.results[0].picture
    assert len(said.text()) < 2000


def test_what_the_judge_has_in_its_environment_is_no_business_of_an_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "xyzzy")
    said = report(
        "repeats",
        "import os\ndef f():\n    seen = ''\n    for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "        try: seen += open(f'/proc/{pid}/environ').read()\n        except OSError: pass\n"
        "    return f\"{'PATH=' in seen} {'xyzzy' in seen}\"",
    )
    assert said.results[0].seen == "It returned True False."


@pytest.mark.parametrize(
    ("kind", "right"),
    [("ValueError", True), ("Mine", True), ("json.JSONDecodeError('', '', 0)", True), ("Other", False)],
)
def test_an_exception_made_from_another_is_that_one_too(kind: str, right: bool) -> None:
    classes = "import json\nclass Mine(ValueError): pass\nclass Other(Exception): pass\n"
    assert report("refuses", f"{classes}def f(): raise {kind}").solved == right


def test_who_puts_something_else_in_its_folders_place_only_fails() -> None:
    text = "import os\ndef copy():\n    h = os.getcwd()\n    os.rename(h, '/tmp/x')\n    open(h, 'w')"
    assert "cannot be used any more: Not a directory" in first("files", text)


def test_a_check_with_a_mistake_is_no_fault_of_the_learners(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from labkit.exercises import Exercise\nx = Exercise()\n@x.criterion()\n"
        "def c(answer):\n    'a text'\n    1 / 0\n"
    )
    with pytest.raises(LabError, match=r"mistake of its own \(broken.py, line 6: ZeroDivisionError"):
        judge(Course(COURSE.folder, (tmp_path,)), "broken/x", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whoever_asks_may_go_and_everything_ends(number: signal.Signals) -> None:
    """The test's own fixture finds what is left."""
    code = (
        "from tests_course import COURSE, judge\n"
        "judge(COURSE, 'made_up/function', '\\nimport os\\ndef f():\\n"
        "    print(os.fork())\\n    while True: pass', print)"
    )
    code = code.replace(
        "from tests_course import COURSE, judge",
        f"""
from pathlib import Path
from labkit.exercises import Course
from labkit.judge.asking import judge
COURSE = Course(Path({str(COURSE.folder)!r}), (Path({str(COURSE.checks[0])!r}),))
""",
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not running_below(asking.pid, "nursery.py"):
        time.sleep(0.01)
    os.kill(asking.pid, number)
    assert asking.wait() != 0


def running_below(pid: int, word: str) -> bool:
    """True when a descendant has this word in its command line."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        commands = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    except OSError:
        return False
    return any(word in command for command in commands) or any(
        running_below(int(child), word) for child in children
    )


@pytest.mark.parametrize("wall", list(sandbox.walls()), ids=lambda wall: wall.name)
def test_every_wall_gives_the_same_report(wall: sandbox.Wall) -> None:
    code = f"""
import sys
from pathlib import Path
from labkit.exercises import Course
from labkit.judge import judging, sandbox
from labkit.kernel import syscalls
syscalls.become_subreaper()
wall = [wall for wall in sandbox.walls() if wall.name == {wall.name!r}][0]
course = Course(Path({str(COURSE.folder)!r}), (Path({str(COURSE.checks[0])!r}),))
text = "import os\\nos.mkfifo('left')\\ndef f():\\n    return 42"
for result in judging.results(course.exercise("made_up/function"), text, walls=iter([wall])):
    print(result.text())
text = "import os\\ndef f():\\n    r, w = os.pipe()\\n    os.read(r, 1)"
for result in judging.results(course.exercise("made_up/function"), text, walls=iter([wall])):
    print(result.text())
text = "import sysv_ipc\\ndef f():\\n    sysv_ipc.SharedMemory(77, 3 << 9, size=10)\\n    return 42"
for result in judging.results(course.exercise("made_up/function"), text, walls=iter([wall])):
    print(result.text())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == EXPECTED


@pytest.mark.parametrize(
    ("python", "seen"), [("course/.venv", ()), ("course", ()), (".", ()), ("course/.venv", ("/var",))]
)
def test_what_is_hidden_is_not_seen_but_python_is(
    python: str, seen: tuple[str, ...], not_in_tmp: Path
) -> None:
    """A course may have Python in it, be it, or lie in it; and lie in a folder that every answer sees."""
    secret = not_in_tmp / "course" / "work" / "secret"
    secret.parent.mkdir(parents=True)
    secret.touch()
    virtual_environment(not_in_tmp / python)
    text = f"import mine, os\ndef f(): return [os.path.exists({str(secret)!r}), mine.__name__]"
    code = f"""
from pathlib import Path
from labkit.exercises import Course
from labkit.judge import judging, sandbox
from labkit.kernel import syscalls
syscalls.become_subreaper()
sandbox._SEEN += {seen}
wall = next(sandbox.walls(hidden=({str(secret.parent)!r}, {str(not_in_tmp / "course")!r})))
course = Course(Path({str(COURSE.folder)!r}), (Path({str(COURSE.checks[0])!r}),))
for result in judging.results(course.exercise("made_up/repeats"), {text!r}, walls=iter([wall])):
    print(result.seen)
"""
    environment = os.environ | {"PYTHONPATH": str(COURSE.folder)}
    argv = [not_in_tmp / python / "bin" / "python", "-c", code]
    ran = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert ran.stdout == "It returned [False, 'mine'].\n\n", ran.stderr


@pytest.fixture
def not_in_tmp() -> Iterator[Path]:
    """A folder that everybody may enter; rooms have a /tmp of their own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def virtual_environment(folder: Path) -> None:
    """One made by hand, which takes no time, with a module in it."""
    real = os.path.realpath(sys.executable)
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "mine.py").touch()
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(real)
    (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(real)}\n")


def test_in_a_notebook_an_answer_works_in_its_scratch_folder_which_goes_when_the_notebook_is_killed(
    tmp_path: Path,
) -> None:
    code = """
import os
from labkit.judge.cage import Cage
from labkit.judge.sandbox import Wall
from labkit.kernel import syscalls
syscalls.become_subreaper()
cage = Cage(Wall("none"))
print(os.path.dirname(cage.folders.base))
cage.close()
"""
    scratch = tmp_path / "scratch"
    environment = os.environ | {"LABKIT_SCRATCH": str(scratch)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (ran.stdout, ran.stderr) == (f"{scratch}\n", "")


def test_an_exploration_without_a_room_leaves_no_folder() -> None:
    code = """
import glob, os
from labkit.judge.cage import Cage
from labkit.judge.sandbox import Wall
from labkit.kernel import syscalls
syscalls.become_subreaper()
os.environ["LABKIT_SCOPE"] = "exploring-%d" % os.getpid()
cage = Cage(Wall("none"))
job = {"language": "python", "programs": [["one", "print(1)"]], "most": 5, "seconds": 20}
exploring = cage.explore(job | {"limits": {}, "looks": [], "wakes": None, "alone": None})
while exploring.read(): pass
found = exploring.result()
exploring.close(), cage.close()
print(*found, glob.glob("/tmp/*" + os.environ["LABKIT_SCOPE"]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("exploration []\n", "")


def test_what_a_child_says_with_its_last_breath_is_heard() -> None:
    code = """
import sys, time
from pathlib import Path
from labkit.exercises import Course
from labkit.judge import judging, running
from labkit.kernel import syscalls
syscalls.become_subreaper()
rest = running.Running._children_rest
running.Running._children_rest = lambda self: time.sleep(0.3) or rest(self)  # nobody is left by then
exercise = Course(Path(), (Path("tests/exercises"),)).exercise("made_up/function")
text = "\\nimport os, time\\ndef f():\\n    if os.fork() == 0: time.sleep(0.05)\\n    return 42"
print(next(judging.results(exercise, text)).seen)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=COURSE.folder, check=True
    )
    assert "A child came out of `f` too" in ran.stdout


def test_a_room_that_an_answer_ends_while_its_witness_enters_is_built_anew() -> None:
    code = """
import os, signal
from labkit.judge import cage
from labkit.judge.sandbox import Wall
from labkit.kernel import syscalls
syscalls.become_subreaper()
entered = []
def enter(pid, witness=cage.Witness):
    entered.append(pid)
    if len(entered) == 1:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return witness(pid)
cage.Witness = enter
one = cage.Cage(Wall("none"))
print(one.witness.system_v(), len(set(entered)))
one.close()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("{} 2\n", "")


EXPECTED = """\
✓ returns 42 [2/2]
✗ leaves nothing behind: It left the file `left`. [0/1]
✗ returns 42: It never ends: `f` waits in read(3) for pipe-1 to end, but holds
  its only write end itself (descriptor 4). Call close(4) in `f` before it
  reads (if it is to write itself: let it do that first). [0/2]
    f  waiting in read(3) on pipe-1
        3 ◂ pipe-1   4 ▸ pipe-1

    pipe-1  ░░░░░░░░░░░░░░░░░░░░  empty, room for 65,536 bytes
        f (4) ▸ pipe-1 ▸ f (3)

    f waits for itself (pipe-1)
✗ leaves nothing behind: There is nothing to judge yet. [0/1]
✓ returns 42 [2/2]
✗ leaves nothing behind: It left a System V shared memory segment. [0/1]
"""


UNGUARDED = "def work(step):\n    step()"
GUARDED = """
import os
r, w = os.pipe()
os.write(w, b"x")
def work(step):
    os.read(r, 1)
    step()
    os.write(w, b"x")
"""
HALF_GUARDED = """
import os
r, w = os.pipe()
os.write(w, b"x")
def work(step):
    os.read(r, 1)
    os.write(w, b"x")
    step()
"""
NEVER_GIVES_BACK = """
import os
r, w = os.pipe()
os.write(w, b"x")
def work(step):
    os.read(r, 1)
    step()
"""


def test_every_order_is_tried() -> None:
    assert report("exclusive", GUARDED).solved
    for text in (UNGUARDED, HALF_GUARDED):
        said = first("exclusive", text)
        assert "In some order the count is 1, not 2." in said
        assert "sched_yield" in said
    assert "Nobody can go on" in first("exclusive", NEVER_GIVES_BACK)


def test_an_explored_answer_cannot_reach_its_conductor() -> None:
    hostile = """
import ctypes, os
libc = ctypes.CDLL(None)
def work(step):
    for pid in range(1, 60):
        if pid != os.getpid():
            libc.ptrace(16, pid, 0, 0)
            try:
                for name in os.listdir(f"/proc/{pid}/fd"):
                    with open(f"/proc/{pid}/fd/{name}", "wb", 0) as file:
                        file.write(b'{"exploration": {"version": 1, "schedules": 1, "complete": true}}')
            except OSError: pass
    step()
"""
    assert not report("exclusive", hostile).results[0].held


def test_no_criterion_meets_the_objects_of_another() -> None:
    """`twice` calls the same function in two criteria; the second would find the key taken."""
    make = (
        "import sysv_ipc\ndef f():\n    sysv_ipc.SharedMemory(77, sysv_ipc.IPC_CREX, size=10)\n    return 42"
    )
    said = report("twice", make)
    assert [result.held for result in said.results] == [True, True, False]
    assert said.results[2].seen == "It left a System V shared memory segment."


def test_what_is_worth_no_points_is_said_and_takes_one_away_when_it_does_not_hold() -> None:
    held, failed = Result("sleeps", True, 0), Result("tidy", False, 0, "It left a FIFO.")
    report = Report("made_up/function", (Result("works", True, 2), held, failed))
    assert report.text().splitlines()[1:3] == ["✓ works [2/2]", "✗ tidy: It left a FIFO. [-1]"]
    assert "sleeps" not in report.text()
    assert report.text().splitlines()[3].startswith("1 of 2 points.")
    assert Report("made_up/function", (Result("works", False, 2), failed)).points == 0


def test_a_parent_that_waits_for_a_stuck_child_is_seen_to_wait_for_it() -> None:
    """The pid that it gave to waitpid is a number in its own room, where it has one."""
    text = """
import os
def f():
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(r, 1)
        os._exit(0)
    os.waitpid(child, 0)
"""
    seen = report("function", text).results[0].seen
    assert seen.startswith("It never ends: "), seen
    assert "`f` waits in wait4 for `f/child`" in seen


def has_landlock() -> bool:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_an_answer_reaches_neither_its_nursery_nor_a_partner() -> None:
    text = (
        "import os\ndef f(*_):\n    reached = []\n    for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "        try: open(f'/proc/{pid}/mem', 'r+b'); reached.append(int(pid))\n"
        "        except OSError: pass\n"
        "    raise ValueError(f'{reached == [os.getpid()]}')"
    )
    assert "ValueError: True" in first("meeting", text)


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_a_part_reaches_neither_the_referee_nor_another_part() -> None:
    """Who could write into the referee's memory could tell its story."""
    text = (
        "\nimport os\ndef work(gate, use):\n"
        "    others = {int(pid) for pid in os.listdir('/proc') if pid.isdigit()} - {os.getpid()}\n"
        "    def reached(pid):\n        try: return bool(open(f'/proc/{pid}/mem', 'r+b'))\n"
        "        except OSError: return False\n"
        "    raise ValueError(f'{os.getppid() in others} {any(map(reached, others))}')\n"
    )
    report = judge(COURSE, "semaphores/mutual_exclusion", text)
    assert "ValueError: True False" in report.results[0].picture
