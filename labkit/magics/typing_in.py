"""What a person types for a program: a box under the cell, or the terminal itself.

The box must not outlive the program that asked for it, so the wait for an answer is ours and ends when
the program does. It stays when the program goes on with something else: what is typed meanwhile waits in
the terminal. A line that is only `^D` is the end of the input, as Ctrl-D is in a terminal.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

from labkit.magics.screen import Screen

END = ("\x04", "^D")
_PATIENCE_S = 0.05


def can_ask(shell: Any, screen: Screen) -> bool:
    """True when somebody is there to type."""
    if screen.request is not None:
        return screen.may_ask and hasattr(shell.kernel, "stdin_socket")
    terminal = sys.__stdin__
    return terminal is not None and sys.stdin is terminal and terminal.isatty()


def ask(shell: Any, screen: Screen, still_wanted: Callable[[], bool]) -> str | None:
    """A line that was typed, without its end; None when nobody wants it any more."""
    if screen.request is not None:
        return _ask_front_end(shell.kernel, screen, still_wanted)
    while still_wanted():
        if select.select([sys.stdin], [], [], _PATIENCE_S)[0]:
            return sys.stdin.readline().rstrip("\n") if sys.stdin else None
    return None


def _ask_front_end(kernel: Any, screen: Screen, still_wanted: Callable[[], bool]) -> str | None:
    import zmq

    socket, session = kernel.stdin_socket, kernel.session
    while socket.poll(0):
        socket.recv_multipart(zmq.NOBLOCK)  # an answer to an earlier question
    question = {"prompt": "", "password": False}
    ident = kernel._parent_ident["shell"]
    session.send(socket, "input_request", question, screen.request, ident=ident)
    while still_wanted():
        if socket.poll(int(_PATIENCE_S * 1000)):
            _, reply = session.recv(socket)
            if reply is not None:
                return str(reply["content"]["value"])
    return None
