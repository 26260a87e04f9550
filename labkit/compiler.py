"""C source -> a program, once for each content; and what gcc says, against the cell's lines.

Messages name the cell and its line, show the line with a mark under the place, and add what to do
where that is known (which header declares `fork`).

A compiler, too, runs for ever on some sources, eats all memory, or writes without end. So it has limits,
and is ended with all its parts when it is interrupted. Its temporary files are in the scratch folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from labkit import names
from labkit.errors import LabError

_HERE = os.path.dirname(os.path.abspath(__file__))
_FLAGS = ("-Wall", "-g", "-pthread", "-fdiagnostics-color=never", "-fno-diagnostics-show-caret")
_LIBRARIES = ("-lrt", "-lm")
_MESSAGE = re.compile(r"(.*?):(\d+):(?:(\d+):)? (fatal error|error|warning|note): (.*)")
_MISSING = re.compile(r"(?:.*?:(\d+):)?.*undefined reference to [`'‘](\w+)['’]")

_LIMITS = "for limit in '-t 10' '-v 4000000' '-f 200000'; do ulimit $limit 2>/dev/null; done; exec \"$@\""
"""Seconds of processor time, kilobytes of memory, blocks of a file."""
_PATIENCE_S = 60
_MOST_SAID = 100_000
_MOST_LINES, _LONGEST = 100, 500
_KEPT = 300
"""Programs, the last used ones."""


class CompileError(LabError):
    """The compiler refused; the text is what it said."""


def compiled(source: str, name: str, label: str, first_line: int, flags: Sequence[str]) -> tuple[str, str]:
    """The path of the compiled program, and the compiler's warnings in words."""
    text = f'#line {first_line} "{label}"\n{source}'
    compiler = _compiler()
    folder = os.path.join(_cache(), _digest(text, compiler, *_FLAGS, *flags))
    binary = os.path.join(folder, re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:40])
    said = os.path.join(folder, "warnings")
    if not (os.path.exists(binary) and os.path.exists(said)):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        warnings = explain(_compile(compiler, text, binary, flags), label, source, first_line)
        _write_whole(said, warnings)
        _forget_oldest(os.path.dirname(folder))
    os.utime(folder)
    with open(said, encoding="utf-8") as file:
        return binary, file.read()


def _compile(compiler: str, text: str, binary: str, flags: Sequence[str]) -> str:
    """Compile; what the compiler said. CompileError when it refused."""
    new = f"{binary}.{os.getpid()}.new"
    header = ("-I", _HERE, "-include", "labkit.h")
    line = [compiler, *_FLAGS, *header, "-x", "c", "-", "-o", new, *flags, *_LIBRARIES]
    first, _, rest = text.partition("\n")
    label = first.split('"')[1]
    try:
        status, said = _run(line, text, label)
        if status != 0:
            raise CompileError(_refusal(said, label, rest, int(first.split()[1])))
        os.replace(new, binary)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
    return said


def _run(line: Sequence[str], text: str, label: str) -> tuple[int, str]:
    """Run the compiler with limits: its exit status, and what it said."""
    with (
        tempfile.TemporaryDirectory(dir=names.folder()) as folder,
        tempfile.TemporaryFile(dir=folder) as said,
    ):
        process = subprocess.Popen(
            ["/bin/sh", "-c", _LIMITS, "sh", *line],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
            env={**os.environ, "LC_ALL": "C", "TMPDIR": folder},
        )  # fmt: skip
        try:
            process.communicate(text.encode(), timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise CompileError(f"{label}: the compiler had not ended after {_PATIENCE_S} s.") from None
        except KeyboardInterrupt:
            raise CompileError(f"{label}: the compiler was interrupted.") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        return process.returncode, said.read(_MOST_SAID).decode(errors="replace")


def _refusal(said: str, label: str, source: str, first_line: int) -> str:
    """Why there is no program: in words, or else in the compiler's own."""
    words = explain(said, label, source, first_line)
    if "error: " in words:
        return words
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("collect2")][-3:]
    return "\n".join([*words.splitlines(), f"{label}: the compiler made no program of it:", *lines])


def command(source: str, program: str, flags: Sequence[str] = ()) -> list[str]:
    """The command that compiles the C file `source` just as a cell is compiled, to be run elsewhere."""
    header = ["-I", _HERE, "-include", "labkit.h"]
    return [_compiler(), *_FLAGS, *header, source, "-o", program, *flags, *_LIBRARIES]


def explain(said: str, label: str, source: str, first_line: int) -> str:
    """The compiler's messages, each with the line it means and a word of help."""
    lines = list(_explained(said, label, source.splitlines(), first_line))
    more = [f"… and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    return "\n".join(lines[:_MOST_LINES] + more)


def _explained(said: str, label: str, lines: list[str], first_line: int) -> Iterator[str]:
    for line in said.splitlines():
        found = _MESSAGE.fullmatch(line)
        missing = _MISSING.match(line)
        if found and found[1] == label:
            number = int(found[2])
            yield f"{label}, line {number}: {found[4].removeprefix('fatal ')}: {found[5]}"
            if 0 <= number - first_line < len(lines):
                yield from _pointed_at(lines[number - first_line], found[3])
            yield from _help(found[5])
        elif found:
            yield line
        elif missing:
            yield from _not_found(missing[2], label, int(missing[1] or 0), lines, first_line)


def _pointed_at(line: str, column: str | None) -> Iterator[str]:
    if len(line) > _LONGEST:
        return
    yield f"    {line.expandtabs(4)}"
    if column is not None:
        before = line[: int(column) - 1].expandtabs(4)
        yield f"    {' ' * len(before)}^"


def _not_found(function: str, label: str, number: int, lines: list[str], first_line: int) -> Iterator[str]:
    if function == "main":
        yield "error: the program has no `main`: every C program begins there."
        return
    where = f"{label}, line {number}: " if 0 <= number - first_line < len(lines) else ""
    yield f"{where}error: no function `{function}` was found: is it spelled as you mean it?"
    if where:
        yield from _pointed_at(lines[number - first_line], None)


# --- help -------------------------------------------------------------------------------------------

_IMPLICIT = re.compile(r"implicit declaration of function ['‘](\w+)['’]")

_DECLARED_IN = {
    "unistd.h": "fork pipe pipe2 read write close dup dup2 execl execlp execle execv execvp execve getpid "
    "getppid sleep usleep _exit pause alarm setsid lseek ftruncate unlink access chdir getuid",
    "stdlib.h": "malloc calloc realloc free exit atoi getenv setenv rand srand qsort abort system",
    "stdio.h": "printf fprintf puts putchar perror fopen fclose fgets scanf sscanf snprintf fflush fputs",
    "string.h": "strlen strcpy strncpy strcmp strncmp memset memcpy strerror strchr strstr strtok",
    "sys/wait.h": "wait waitpid waitid",
    "sys/stat.h": "mkfifo stat fstat lstat chmod umask mkdir",
    "fcntl.h": "open creat fcntl openat",
    "signal.h": "kill signal sigaction sigemptyset sigaddset sigprocmask sigsuspend raise sigqueue",
    "sys/shm.h": "shmget shmat shmdt shmctl",
    "sys/sem.h": "semget semop semctl semtimedop",
    "sys/msg.h": "msgget msgsnd msgrcv msgctl",
    "sys/ipc.h": "ftok",
    "sys/mman.h": "mmap munmap shm_open shm_unlink mprotect memfd_create",
    "semaphore.h": "sem_open sem_init sem_wait sem_post sem_close sem_unlink sem_trywait sem_getvalue",
    "mqueue.h": "mq_open mq_send mq_receive mq_close mq_unlink mq_getattr mq_notify",
    "pthread.h": "pthread_create pthread_join pthread_mutex_lock pthread_mutex_unlock pthread_mutex_init",
    "sys/socket.h": "socket bind listen accept connect send recv sendto recvfrom socketpair sendmsg recvmsg",
    "arpa/inet.h": "htons htonl ntohs ntohl inet_pton inet_ntop inet_addr",
    "sys/select.h": "select pselect",
    "poll.h": "poll ppoll",
    "sys/epoll.h": "epoll_create epoll_create1 epoll_ctl epoll_wait",
    "sched.h": "sched_yield",
    "time.h": "time nanosleep clock_gettime",
    "errno.h": "errno",
}
_HEADER = {name: header for header, found in _DECLARED_IN.items() for name in found.split()}
_UNDECLARED = re.compile(r"['‘](\w+)['’] undeclared")
_STRAY = re.compile(r"stray ['‘]\\\d+['’]")


def _help(message: str) -> Iterator[str]:
    if _STRAY.search(message):
        yield "    C does not know this character: quotes and spaces from a page are often so; type it anew"
    found = _IMPLICIT.search(message) or _UNDECLARED.search(message)
    if found and found[1] in _HEADER:
        yield f"    `{found[1]}` is declared in <{_HEADER[found[1]]}>: add  #include <{_HEADER[found[1]]}>"


# --- files ------------------------------------------------------------------------------------------


def _compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None:
        raise LabError("There is no C compiler here (on Debian and Ubuntu: sudo apt install gcc).")
    return found


def _digest(*parts: str) -> str:
    with open(os.path.join(_HERE, "labkit.h"), encoding="utf-8") as header:
        return hashlib.sha256("\0".join((*parts, header.read())).encode()).hexdigest()[:20]


def _cache() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(base, "labkit", "c")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return os.path.join(names.folder(), "c")
    return folder if os.access(folder, os.W_OK) else os.path.join(names.folder(), "c")


def _forget_oldest(cache: str) -> None:
    def used(folder: os.DirEntry[str]) -> float:
        return folder.stat().st_mtime

    with contextlib.suppress(FileNotFoundError):  # another notebook does the same
        for folder in sorted(os.scandir(cache), key=used)[:-_KEPT]:
            shutil.rmtree(folder.path, ignore_errors=True)


def _write_whole(path: str, text: str) -> None:
    new = f"{path}.{os.getpid()}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)
