"""Every order in which an answer's processes could have gone, found out in a room of its own.

`python -m labkit.judge.exploring FD` is the conductor of one exploration: it reads a job on its standard
input, leads the programs through every schedule (`labkit.explore`), and writes what came out on a
descriptor that nobody else has.

Some facts about standing beside those that one leads:

- A conductor is the ancestor and tracer of its programs, so it lives in their room and has their uid.
- Nobody may trace a process, write into its memory or take its descriptors whose permitted capabilities
  are not a subset of his own (ptrace(2), "Ptrace access mode checking"). Capabilities of a user that is
  not root are lost by execve, unless they are ambient.

What follows for us: the conductor's room grants it one capability, CAP_SYS_PTRACE; it takes it out of the
ambient set at once. So it has what its programs cannot have, and they cannot touch it. They may kill it:
then there is no verdict, and no points.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.kernel import syscalls

if TYPE_CHECKING:
    from labkit.exploration import Exploration
    from labkit.programs import Command

FOLDER = "work"
"""The folder that the programs work in, below the conductor's scratch folder."""


# --- in the judge's process -------------------------------------------------------------------------


class Exploring:
    """A conductor at work. One owner: the answer that started it."""

    def __init__(
        self, argv: Sequence[str], fds: Sequence[int], job: dict[str, Any], scratch: str | None = None
    ) -> None:
        from labkit.judge import sandbox

        self.fd, theirs = os.pipe()
        python = [sys.executable, "-S", "-m", "labkit.judge.exploring"]
        command = [*argv, *python, str(theirs), *sandbox.libraries()]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=null, stderr=null, pass_fds=[theirs, *fds], cwd="/",
            start_new_session=True, env=_environment(scratch),
        )  # fmt: skip
        os.close(theirs)
        self._said = bytearray()
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(json.dumps(job).encode())

    def read(self) -> bool:
        """Take in what the conductor says; False at the end."""
        piece = os.read(self.fd, 65536)
        self._said += piece
        return bool(piece)

    def so_far(self) -> Iterator[dict[str, Any]]:
        """What it said meanwhile of what it has found, each once."""
        while len(lines := self._said.split(b"\n", 1)) > 1 and b'"so far"' in lines[0][:20]:
            self._said = lines[1]
            yield json.loads(lines[0])["so far"]

    def result(self) -> dict[str, Any]:
        """What it said in the end."""
        try:
            found: dict[str, Any] = json.loads(self._said)
            return found
        except ValueError:
            return {"problem": "the exploration was ended from inside"}

    def close(self) -> None:
        os.close(self.fd)
        self._process.kill()
        self._process.wait()


def _environment(scratch: str | None) -> dict[str, str]:
    from labkit.judge.sandbox import PACKAGE  # not above: a conductor needs none of it, and starts often

    kept = {name: os.environ[name] for name in ("PATH", "LABKIT_SCOPE") if name in os.environ}
    kept |= {"LABKIT_SCRATCH": scratch} if scratch else {}
    return kept | {"LANG": "C.UTF-8", "HOME": "/tmp", "PYTHONPATH": str(PACKAGE.parent)}


# --- in the conductor's process ---------------------------------------------------------------------


def main() -> None:
    """Explore what the job says; write an Exploration, or a problem."""
    syscalls.die_with_parent(signal.SIGKILL)
    syscalls.clear_ambient()
    syscalls.become_subreaper()
    sys.path += sys.argv[2:]  # it runs with `python -S`, which is faster
    report = os.fdopen(int(sys.argv[1]), "w")
    os.set_inheritable(report.fileno(), False)
    job = json.load(sys.stdin)
    for name, most in job["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))

    def say(word: str, what: Any) -> None:
        print(json.dumps({word: what}), file=report, flush=True)

    try:
        say("exploration", _explored(job, lambda found: say("so far", found.to_dict())).to_dict())
    except LabError as error:
        say("problem", str(error))


def _explored(job: dict[str, Any], on_look: Callable[[Exploration], None]) -> Exploration:
    from labkit import names
    from labkit.explore import Options, explore
    from labkit.programs import c, python, shell

    make: Callable[..., Command] = {"python": python, "shell": shell, "c": c}[job["language"]]
    folder = os.path.join(names.folder(), FOLDER)
    os.makedirs(folder, exist_ok=True)
    commands = [make(text, name=name, label="your cell", cwd=folder) for name, text in job["programs"]]
    bounds = {name: job[name] for name in ("most", "seconds", "wakes", "alone")}
    options = Options(jobs=1, looks=tuple(job["looks"]), **bounds)
    return explore(commands, options, on_look=on_look)


if __name__ == "__main__":
    main()
