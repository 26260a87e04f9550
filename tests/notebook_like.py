"""What a notebook's process is to its programs, without Jupyter: `python notebook_like.py HOW DELAY`.

It starts nasty programs and, after DELAY seconds, meets its end: HOW is `kill` (itself, by SIGKILL),
`stopped` (the same, after a program has stopped the owner), `exit` (os._exit), `leave` (normally), or `owner`
(kills the owner, sees that all is well, then leaves).
"""

import os
import signal
import sys
import threading
from pathlib import Path

from labkit import supervisor
from labkit.programs import python, shell

how, delay = sys.argv[1], float(sys.argv[2])
nasty = Path(__file__).with_name("nasty.py").read_text(encoding="utf-8")


def end() -> None:
    owner = supervisor.current()
    assert owner is not None
    assert owner.pid is not None
    if how == "stopped":
        os.kill(owner.pid, signal.SIGSTOP)
    if how in ("kill", "stopped"):
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(0)
    if how == "owner":
        os.kill(owner.pid, signal.SIGKILL)


own = supervisor.connect()
own.wait_for(lambda: own.pid is not None)
threading.Timer(delay, end).start()
try:
    programs = [own.start(python(nasty, name=f"nasty{n}")) for n in range(2)]
except Exception:
    programs = []  # the owner died before it could start them
if how == "leave":
    threading.Event().wait(delay)
    sys.exit()
for program in programs:
    program.wait_gone()
own.wait_for(lambda: not own.alive)
done = supervisor.connect().start(shell("echo works; exit 5"))
print("status", done.wait(20))
